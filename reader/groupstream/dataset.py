"""Versions, splits and groups, opened for reading."""

from __future__ import annotations

import functools
import os
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import Any

import google_crc32c
import pyarrow as pa
import pyarrow.parquet as pq

from groupstream import layout
from groupstream.errors import CorruptError, UnknownKeyError
from groupstream.features import Features
from groupstream.group import Group, Neighbours, in_neighbourhoods, read_stored
from groupstream.group_order import hash_group_ids
from groupstream.manifest import Manifest, SplitInfo
from groupstream.refs import Location, resolve


def open_dataset(ref: str | os.PathLike[str], root: str | None = None) -> Dataset:
    """Opens a published version. Reads its manifest only.

    Args:
        ref: `name@version`, `name@latest`, `name`, or the path of a version's folder.
        root: the store to look refs up in. Default: $GROUPSTREAM_ROOT, or ~/groupstream.

    Raises:
        RefNotFoundError: nothing published is named so.
        CorruptError: the manifest was changed, or is of a newer format.
    """
    location = resolve(ref, root)
    path = f"{location.folder}/{layout.MANIFEST}"
    manifest = Manifest.from_json(location.store.read(path), f"{location.store.root}/{path}")
    return Dataset(location, manifest)


class Dataset(Mapping[str, "Split"]):
    """A published version: a mapping of split names to splits."""

    def __init__(self, location: Location, manifest: Manifest) -> None:
        self._location = location
        self.manifest = manifest

    @property
    def location(self) -> str:
        """The folder it lies in."""
        return str(self._location)

    @property
    def features(self) -> Features:
        """The features of an example."""
        return self.manifest.features

    def read_file(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        """The bytes of a file of the version, or of a range of it.

        Raises:
            CorruptError: it is missing.
        """
        return read_stored(self._location.store, f"{self._location.folder}/{path}", offset, length)

    def __getitem__(self, name: str) -> Split:
        if name not in self.manifest.splits:
            raise UnknownKeyError(f"{self.manifest.ref} has no split {name!r}; it has {', '.join(self)}")
        return Split(self._location, self.manifest, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.manifest.splits)

    def __len__(self) -> int:
        return len(self.manifest.splits)

    def __repr__(self) -> str:
        return f"<groupstream.Dataset {self.manifest.ref}: {', '.join(self)}>"


class Split:
    """The groups of one split: a stream of them, or one by id."""

    def __init__(self, location: Location, manifest: Manifest, name: str) -> None:
        self._location = location
        self._manifest = manifest
        self.name = name

    @property
    def info(self) -> SplitInfo:
        """Its files and figures, from the manifest."""
        return self._manifest.splits[self.name]

    @property
    def seed(self) -> int:
        """The key of the group hash."""
        return self._manifest.seed

    @property
    def num_groups(self) -> int:
        """How many groups it has. No I/O."""
        return self.info.statistics.num_groups

    @property
    def num_examples(self) -> int:
        """How many examples it has. No I/O."""
        return self.info.statistics.num_examples

    def group_table(self, columns: list[str] | None = None) -> pa.Table:
        """One row per group in stored order: ids, sizes, places. Reads the index, never the data."""
        return self._index.read(columns)

    def __iter__(self) -> Iterator[Group]:
        """All groups in stored order, which is a random order. Reads the index a part at a time."""
        for neighbours in self.neighbourhoods():
            yield from neighbours.groups()

    def neighbourhoods(self) -> Iterator[Neighbours]:
        """All groups in stored order, in the parts that are read together."""
        for rows in in_neighbourhoods(self._rows()):
            yield Neighbours(self._location.store, self._path(rows[0]), self._manifest.features, rows)

    def _rows(self) -> Iterator[dict[str, Any]]:
        for batch in self._index.iter_batches(batch_size=1 << 12):
            yield from batch.to_pylist()

    def __len__(self) -> int:
        return self.num_groups

    def __contains__(self, group_id: bytes | str) -> bool:
        return self._find(_as_bytes(group_id)) is not None

    def group(self, group_id: bytes | str) -> Group:
        """One group by its id. One look-up in the index; the data is read when the group is.

        Raises:
            UnknownKeyError: no such group. It is a KeyError.
        """
        row = self._find(_as_bytes(group_id))
        if row is None:
            ref = self._manifest.ref
            raise UnknownKeyError(
                f"{ref} has no group {group_id!r} in split {self.name}; "
                f"see some with: groupstream head {ref} --split {self.name}"
            )
        return self._group(row)

    @functools.cached_property
    def _index(self) -> pq.ParquetFile:
        file = self.info.group_table
        data = read_stored(self._location.store, f"{self._location.folder}/{file.path}")
        if (found := f"{google_crc32c.value(data):08x}") != file.crc32c:
            raise CorruptError(
                f"{self._location}/{file.path} has crc32c {found}, its manifest says {file.crc32c}. "
                "Pull the version again"
            )
        return pq.ParquetFile(pa.BufferReader(data))

    def _find(self, group_id: bytes) -> dict[str, Any] | None:
        wanted = hash_group_ids([group_id], self._manifest.seed)[0].tobytes()
        row_group = bisect_left(self._last_hashes, wanted)
        if row_group == len(self._last_hashes):
            return None
        rows = self._index.read_row_group(row_group)
        found = bisect_left(rows["group_hash"], wanted, key=lambda stored: stored.as_py())
        if found == len(rows) or rows["group_id"][found].as_py() != group_id:
            return None
        row: dict[str, Any] = rows.slice(found, 1).to_pylist()[0]
        return row

    @functools.cached_property
    def _last_hashes(self) -> list[bytes]:
        """The greatest group hash of each row group, from the statistics in the index's footer."""
        metadata = self._index.metadata
        column = metadata.schema.names.index("group_hash")
        return [metadata.row_group(i).column(column).statistics.max for i in range(metadata.num_row_groups)]

    def _group(self, row: dict[str, Any]) -> Group:
        return Group(self._location.store, self._path(row), self._manifest.features, row)

    def _path(self, row: dict[str, Any]) -> str:
        return f"{self._location.folder}/{self.info.shards[row['shard_index']].path}"

    def __repr__(self) -> str:
        sizes = f"{self.num_groups} groups, {self.num_examples} examples"
        return f"<groupstream.Split {self._manifest.ref} {self.name}: {sizes}>"


def _as_bytes(group_id: bytes | str) -> bytes:
    return group_id.encode() if isinstance(group_id, str) else group_id
