"""The version that a build makes: its number, its files, its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cards import render_card
from groupstream import ConflictError, layout
from groupstream.commit import claim_version, describe_file, read_claim
from groupstream.features import GROUP_ID
from groupstream.group import single_group
from groupstream.group_rows import rows_of_batch
from groupstream.group_table import statistics_of
from groupstream.layout import version_key
from groupstream.manifest import CheckResult, Manifest, Shard, SplitInfo, canonical_json
from groupstream.refs import published_versions
from groupstream.shard_reader import ShardReader
from groupstream.stores import LocalStore, Store
from groupstream.tfds_metadata import dataset_info_json, features_json
from pipelines.merge import MergedShard
from pipelines.partition import Partitioned
from pipelines.plan import Plan

SPLIT = "train"
_SAMPLES = 3


@dataclass(frozen=True)
class Version:
    """A version ready to be published: its manifest, and the content of each of its files."""

    manifest: Manifest
    files: Mapping[str, Path | bytes]


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


def describe_version(plan: Plan, partitioned: Partitioned, checks: list[CheckResult], version: str) -> Version:
    """Names and describes every file of a version, and draws its card."""
    table = pq.read_table(partitioned.group_table)
    shards = _name_shards(partitioned.shards)
    files: dict[str, Path | bytes] = {
        shard.path: Path(s.path) for shard, s in zip(shards, partitioned.shards, strict=True)
    }
    files[layout.group_table_file(SPLIT)] = partitioned.group_table
    group_table = describe_file(layout.group_table_file(SPLIT), partitioned.group_table)
    splits = {SPLIT: SplitInfo(shards=shards, group_table=group_table, statistics=statistics_of(table))}
    manifest = _manifest(plan, partitioned, checks, version, splits)
    more = {
        "features.json": canonical_json(features_json(manifest.features)),
        "dataset_info.json": canonical_json(dataset_info_json(manifest.name, version, manifest.description, splits)),
        layout.CARD: render_card(manifest, {SPLIT: table}, _samples(partitioned, table)).encode(),
    }
    described = tuple(describe_file(path, content) for path, content in more.items())
    return Version(manifest.model_copy(update={"files": described}), {**files, **more})


def _name_shards(merged: list[MergedShard]) -> tuple[Shard, ...]:
    return tuple(
        Shard(
            path=layout.shard_file(SPLIT, shard.shard_index, len(merged)),
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


def _samples(partitioned: Partitioned, table: pa.Table) -> list[dict[str, Any]]:
    """The first example of each of the first groups."""
    paths = [Path(shard.path) for shard in partitioned.shards]
    reader = ShardReader(LocalStore(paths[0].parent), tuple(path.name for path in paths), partitioned.features)
    samples = []
    for batch in table.slice(0, _SAMPLES).to_batches(max_chunksize=1):
        group = single_group(reader, rows_of_batch(batch, 0))
        samples.append({GROUP_ID: group.id, **next(group.examples())})
    return samples
