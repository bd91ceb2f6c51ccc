"""The files of a version that is some groups of another one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

import groupstream
from groupstream import layout
from groupstream.commit import describe_file
from groupstream.errors import CorruptError
from groupstream.group_order import hash_group_ids, hash_words, shard_of
from groupstream.group_rows import GroupRows, rows_of_batch
from groupstream.group_table import statistics_of, write_group_table
from groupstream.manifest import Counts, Manifest, Shard, SplitInfo, canonical_json
from groupstream.pulling.copy_groups import check_groups, copy_groups, place_groups
from groupstream.pulling.files import OnBytes
from groupstream.refs import Location
from groupstream.tfds_metadata import dataset_info_json, features_json

NOT_ASKED_FOR = "not_asked_for"  # the reason in the counts


@dataclass(frozen=True)
class SmallVersion:
    """Writes them to a folder.

    Attributes:
        location: where the whole version lies; `manifest` is its.
        folder: gets the files.
    """

    location: Location
    manifest: Manifest
    folder: Path

    def write_split(
        self, name: str, table: pa.Table, shard_bytes: int, connections: ThreadPoolExecutor, on_bytes: OnBytes
    ) -> SplitInfo:
        """Brings groups of a split, and checks every CRC.

        Args:
            table: their rows of the group table.
            shard_bytes: about how large a shard gets, with no more shards than the whole version has.

        Raises:
            CorruptError: the source has other bytes than were published.
        """
        [batch] = table.combine_chunks().to_batches()
        rows, shards = rows_of_batch(batch, 0), self.manifest.splits[name].shards
        num_shards = min(-(-int(rows.length_bytes.sum()) // shard_bytes), len(shards))
        first_words, _ = hash_words(hash_group_ids(rows.group_ids, self.manifest.seed))
        places = place_groups(rows.length_bytes, shard_of(first_words, num_shards), num_shards)
        paths = [self.folder / layout.shard_file(name, i, num_shards) for i in range(num_shards)]
        rows_in = [_cut(rows, places.shard_index, i) for i in range(num_shards)]
        sources = [f"{self.location.folder}/{shard.path}" for shard in shards]

        def bring() -> None:
            copy_groups(self.location.store, sources, rows, places, paths, connections, on_bytes)
            for path, inside in zip(paths, rows_in, strict=True):
                check_groups(path, inside, f"{self.location}, some groups of {name}")

        _twice(bring)
        index = self.folder / layout.group_table_file(name)
        moved = {"shard_index": places.shard_index, "offset_bytes": places.offset_bytes}
        write_group_table(index, [_with_columns(table, moved)])
        return SplitInfo(
            shards=tuple(map(_describe_shard, paths, rows_in)),
            group_table=describe_file(index.name, index),
            statistics=statistics_of(table),
        )

    def describe(self, digest: str, splits: dict[str, SplitInfo], num_examples_seen: int) -> Manifest:
        """Writes the files for TensorFlow Datasets; gives the manifest.

        Args:
            digest: identifies the small version.
            num_examples_seen: of all splits that groups were asked for in.
        """
        manifest = self._manifest(digest, splits, num_examples_seen)
        files = _tfds_files(manifest)
        for path, content in files.items():
            (self.folder / path).write_bytes(content)
        return manifest.model_copy(update={"files": tuple(describe_file(path, files[path]) for path in files)})

    def _manifest(self, digest: str, splits: dict[str, SplitInfo], num_examples_seen: int) -> Manifest:
        num_examples = sum(split.statistics.num_examples for split in splits.values())
        left = num_examples_seen - num_examples
        source = {
            "kind": "groups",
            "ref": self.manifest.ref,
            "digest": self.manifest.digest,
            "num_groups": sum(split.statistics.num_groups for split in splits.values()),
        }
        dropped = {NOT_ASKED_FOR: left} if left else {}
        return self.manifest.model_copy(
            update={
                "digest": digest,
                "source": source,
                "code": {**self.manifest.code, "groupstream": groupstream.__version__},
                "splits": splits,
                "counts": Counts(examples_in=num_examples_seen, examples_out=num_examples, dropped=dropped),
                "checks": (),  # they were made of the whole version
            }
        )


def _twice(bring: Callable[[], None]) -> None:
    """What is wrong may have become so on the way: it is brought once more."""
    try:
        bring()
    except CorruptError:
        bring()


def _cut(rows: GroupRows, shard_index: np.ndarray, shard: int) -> GroupRows:
    start, stop = np.searchsorted(shard_index, [shard, shard + 1]).tolist()
    return rows.cut(start, stop)


def _with_columns(table: pa.Table, columns: dict[str, np.ndarray]) -> pa.Table:
    for name, values in columns.items():
        place = table.schema.get_field_index(name)
        field = table.schema.field(place)
        array = pa.Array.from_buffers(field.type, len(values), [None, pa.py_buffer(np.ascontiguousarray(values))])
        table = table.set_column(place, field, array)
    return table


def _describe_shard(path: Path, rows: GroupRows) -> Shard:
    return Shard(
        **describe_file(path.name, path).model_dump(),
        num_groups=len(rows),
        num_examples=int(rows.num_examples.sum()),
    )


def _tfds_files(manifest: Manifest) -> dict[str, bytes]:
    info = dataset_info_json(manifest.name, manifest.version, manifest.description, manifest.splits)
    return {
        "features.json": canonical_json(features_json(manifest.features)),
        "dataset_info.json": canonical_json(info),
    }
