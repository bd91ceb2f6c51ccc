"""A version before it has a number: its files and its manifest, to be checked before anything is published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata

import pyarrow.parquet as pq

from groupstream import layout
from groupstream.commit import StagedObject, describe_file
from groupstream.dataset import Dataset
from groupstream.features import GROUP_ID
from groupstream.group_table import statistics_of
from groupstream.manifest import Manifest, Shard, SplitInfo
from groupstream.refs import Location
from groupstream.stores import Store
from pipelines.content_store import Content, ContentStore
from pipelines.merge import MergedShard
from pipelines.partition import Partitioned, PartitionedSplit
from pipelines.plan import Plan
from pipelines.staging import StagingArea
from pipelines.tally import Tally

NO_VERSION = "unpublished"
_FOLDER = "draft"


@dataclass(frozen=True)
class Draft:
    """What a build made, before it is checked.

    Attributes:
        manifest: as it will be published, but for the version, the checks and the files that describe it.
        files: the content of each file of the manifest, by its path in the version.
        tally: where each example went, with places.
    """

    manifest: Manifest
    files: Mapping[str, Content]
    tally: Tally
    store: Store

    @property
    def dataset(self) -> Dataset:
        """It, opened for reading as a published version is."""
        contents = {f"{_FOLDER}/{path}": content for path, content in self.files.items()}
        store = ContentStore(self.store, f"the build of {self.manifest.name}", contents)
        return Dataset(Location(store, _FOLDER), self.manifest)


def draft_version(plan: Plan, partitioned: Partitioned, store: Store) -> Draft:
    """Names and describes what the pipeline made.

    Args:
        store: where it will be published.
    """
    files: dict[str, Content] = {}
    splits = {
        name: _describe_split(name, split, partitioned, store, files) for name, split in partitioned.splits.items()
    }
    tables = {
        layout.label_table_file(name): split.label_table
        for name, split in partitioned.splits.items()
        if split.label_table is not None
    }
    manifest = Manifest(
        name=plan.spec.name,
        version=NO_VERSION,
        description=plan.spec.description,
        digest=plan.digest,
        spec=plan.spec.resolved(),
        source=plan.source,
        code=code_versions(),
        seed=plan.spec.seed,
        features=partitioned.features,
        group_feature=GROUP_ID,
        splits=splits,
        counts=partitioned.counts,
        files=tuple(describe_file(path, content) for path, content in tables.items()),
    )
    return Draft(manifest, {**files, **tables}, partitioned.tally, store)


def code_versions() -> dict[str, str]:
    """The versions of our distributions."""
    return {name: metadata.version(name) for name in ("groupstream", "groupstream-platform")}


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
