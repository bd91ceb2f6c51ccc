"""The version that a build makes: its number, its files, its manifest."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from cards import render_card
from groupstream import ConflictError, layout
from groupstream.commit import StagedObject, claim_version, describe_file, read_claim
from groupstream.features import GROUP_ID
from groupstream.group import single_group
from groupstream.group_rows import rows_of_batch
from groupstream.group_table import statistics_of
from groupstream.layout import version_key
from groupstream.manifest import CheckResult, Manifest, Shard, SplitInfo, canonical_json
from groupstream.refs import published_versions
from groupstream.shard_reader import ShardReader
from groupstream.stores import Store
from groupstream.tfds_metadata import dataset_info_json, features_json
from pipelines.merge import MergedShard
from pipelines.partition import Partitioned, PartitionedSplit
from pipelines.plan import Plan
from pipelines.staging import StagingArea

_SAMPLES = 3

Content = Path | bytes | StagedObject


@dataclass(frozen=True)
class Version:
    """A version ready to be published: its manifest, and the content of each of its files."""

    manifest: Manifest
    files: Mapping[str, Content]


def find_built(plan: Plan, store: Store) -> str | None:
    """The published version that this plan would build again, the newest of them."""
    return _built_among(published_versions(store, plan.spec.name), plan, store)


def claim_number(plan: Plan, store: Store, run: Mapping[str, Any]) -> str:
    """Claims the number of the new version: the one of the spec, or the next major one that no other build has.

    Two builds of one plan at once get the same number: they write the same bytes.

    Raises:
        ConflictError: another build has the number of the spec.
    """
    name, wanted = plan.spec.name, plan.spec.publish.version
    if wanted is not None:
        if not claim_version(store, f"{name}/{wanted}", plan.digest, run):
            raise ConflictError(
                f"{name}@{wanted} in {store.root} was built from another spec or source, or is being built; "
                "a version never changes. Set publish.version to another number, or leave it out"
            )
        return wanted
    published = published_versions(store, name)
    if built := _built_among(published, plan, store):  # by another run, since this one looked
        return built
    major = version_key(published[-1])[0] + 1 if published else 1
    while not claim_version(store, f"{name}/{major}.0.0", plan.digest, run):
        major += 1
    return f"{major}.0.0"


def _built_among(published: list[str], plan: Plan, store: Store) -> str | None:
    claims = {version: read_claim(store, f"{plan.spec.name}/{version}") for version in published}
    return next((v for v in reversed(published) if claims[v].get("digest") == plan.digest), None)


def describe_version(
    plan: Plan, partitioned: Partitioned, checks: list[CheckResult], version: str, store: Store
) -> Version:
    """Names and describes every file of a version, and draws its card.

    Args:
        store: where it will be published.
    """
    files: dict[str, Content] = {}
    splits = {
        name: _describe_split(name, split, partitioned, store, files) for name, split in partitioned.splits.items()
    }
    manifest = _manifest(plan, partitioned, checks, version, splits)
    more: dict[str, Path | bytes] = {
        layout.label_table_file(name): split.label_table
        for name, split in partitioned.splits.items()
        if split.label_table is not None
    }
    more |= {
        "features.json": canonical_json(features_json(manifest.features)),
        "dataset_info.json": canonical_json(dataset_info_json(manifest.name, version, manifest.description, splits)),
        layout.CARD: _card(manifest, partitioned),
    }
    described = tuple(describe_file(path, content) for path, content in more.items())
    return Version(manifest.model_copy(update={"files": described}), {**files, **more})


def _describe_split(
    name: str, split: PartitionedSplit, partitioned: Partitioned, store: Store, files: dict[str, Content]
) -> SplitInfo:
    """Describes the files of a split, and adds them to `files`."""
    shards = _name_shards(name, split.shards)
    for shard, merged in zip(shards, split.shards, strict=True):
        files[shard.path] = _content(partitioned.staging, merged.path, store)
    path = layout.group_table_file(name)
    files[path] = split.group_table
    sizes = pq.read_table(split.group_table, columns=["num_examples", "num_bytes", "num_words"])
    table = describe_file(path, split.group_table)
    return SplitInfo(shards=shards, group_table=table, statistics=statistics_of(sizes))


def _content(staging: StagingArea, path: str, store: Store) -> Content:
    """A file of this machine, or an object that lies below the root of the store already."""
    local = staging.local_path(path)
    if local is not None:
        return local
    return StagedObject(f"{staging.store.root.removeprefix(store.root).strip('/')}/{path}")


def _name_shards(split: str, merged: list[MergedShard]) -> tuple[Shard, ...]:
    return tuple(
        Shard(
            path=layout.shard_file(split, shard.shard_index, len(merged)),
            size_bytes=shard.size_bytes,
            crc32c=shard.crc32c,
            sha256=shard.sha256,
            num_groups=shard.num_groups,
            num_examples=shard.num_examples,
        )
        for shard in merged
    )


def _manifest(
    plan: Plan, partitioned: Partitioned, checks: list[CheckResult], version: str, splits: dict[str, SplitInfo]
) -> Manifest:
    return Manifest(
        name=plan.spec.name,
        version=version,
        description=plan.spec.description,
        digest=plan.digest,
        spec=plan.spec.resolved(),
        source=plan.source,
        code={name: metadata.version(name) for name in ("groupstream", "groupstream-platform")},
        seed=plan.spec.seed,
        features=partitioned.features,
        group_feature=GROUP_ID,
        splits=splits,
        counts=partitioned.counts,
        checks=tuple(checks),
    )


def _card(manifest: Manifest, partitioned: Partitioned) -> bytes:
    columns = ["group_id", "num_examples", "num_bytes", "num_words"]  # that it needs; the others take as much memory
    tables = {name: pq.read_table(split.group_table, columns=columns) for name, split in partitioned.splits.items()}
    labels = {name: pq.read_table(s.label_table) for name, s in partitioned.splits.items() if s.label_table is not None}
    return render_card(manifest, tables, _samples(partitioned), labels).encode()


def _samples(partitioned: Partitioned) -> list[dict[str, Any]]:
    """The first example of each of the first groups of the first split."""
    split = next(iter(partitioned.splits.values()))
    reader = ShardReader(partitioned.staging.store, tuple(s.path for s in split.shards), partitioned.features)
    file = pq.ParquetFile(split.group_table, pre_buffer=False)
    samples = []
    for batch in itertools.islice(file.iter_batches(1), _SAMPLES):
        group = single_group(reader, rows_of_batch(batch, 0))
        samples.append({GROUP_ID: group.id, **next(group.examples())})
    return samples
