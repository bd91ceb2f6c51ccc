"""Versions, splits and groups, opened for reading."""

from __future__ import annotations

import functools
import os
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import Any

import google_crc32c
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from groupstream import layout
from groupstream.errors import CorruptError, UnknownKeyError
from groupstream.example_decoding import decode_examples
from groupstream.features import Feature, Features
from groupstream.group_order import hash_group_ids
from groupstream.manifest import Manifest, SplitInfo
from groupstream.refs import Location, resolve
from groupstream.stores import Store
from groupstream.tfrecord import iter_record_blocks


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
        return _read(self._location.store, f"{self._location.folder}/{path}", offset, length)

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
        for rows in self._index.iter_batches(batch_size=1 << 14):
            yield from (self._group(row) for row in rows.to_pylist())

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
        data = _read(self._location.store, f"{self._location.folder}/{file.path}")
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
        shard = self.info.shards[row["shard_index"]]
        return Group(self._location.store, f"{self._location.folder}/{shard.path}", self._manifest.features, row)

    def __repr__(self) -> str:
        sizes = f"{self.num_groups} groups, {self.num_examples} examples"
        return f"<groupstream.Split {self._manifest.ref} {self.name}: {sizes}>"


class Group:
    """The examples of one group. Reading is one range request, a block of it at a time."""

    def __init__(self, store: Store, path: str, features: Mapping[str, Feature], row: dict[str, Any]) -> None:
        self._store = store
        self._path = path
        self._features = features
        self._row = row

    @property
    def id(self) -> bytes:
        """The group id as it is stored."""
        group_id: bytes = self._row["group_id"]
        return group_id

    @property
    def name(self) -> str:
        """The group id as text; bytes that are not UTF-8 are escaped."""
        return self.id.decode(errors="backslashreplace")

    @property
    def num_examples(self) -> int:
        """How many examples it has."""
        return int(self._row["num_examples"])

    @property
    def num_bytes(self) -> int:
        """Bytes of its serialised examples."""
        return int(self._row["num_bytes"])

    @property
    def num_words(self) -> int:
        """Words in its text features."""
        return int(self._row["num_words"])

    def records(self) -> Iterator[pa.LargeBinaryArray]:
        """Its serialised tf.train.Examples, a block at a time, all CRCs checked.

        Raises:
            CorruptError: the bytes are not those that were written.
        """
        read = functools.partial(_read, self._store, self._path)
        start, length = self._row["offset_bytes"], self._row["length_bytes"]
        found = 0
        for block in iter_record_blocks(read, start, length, f"{self._store.root}/{self._path}"):
            found += len(block)
            yield block
        if found != self.num_examples:
            raise CorruptError(
                f"group {self.name!r} should have {self.num_examples} examples, {found} were read from {self._path}. "
                "Check the version with: groupstream verify REF"
            )

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Its examples, decoded, a block at a time: memory is bounded however large the group is."""
        for records in self.records():
            yield decode_examples(records, self._features)

    def table(self) -> pa.Table:
        """All its examples as one table."""
        return pa.Table.from_batches(self.batches())

    def examples(self) -> Iterator[dict[str, Any]]:
        """Its examples as dictionaries of Python values; tensors are NumPy arrays."""
        for batch in self.batches():
            columns = [_python_values(batch.column(name)) for name in batch.schema.names]
            for values in zip(*columns, strict=True):
                yield dict(zip(batch.schema.names, values, strict=True))

    def __len__(self) -> int:
        return self.num_examples

    def __repr__(self) -> str:
        return f"<groupstream.Group {self.name!r}: {self.num_examples} examples>"


def _python_values(column: pa.Array) -> list[Any]:
    if isinstance(column.type, pa.FixedShapeTensorType):
        flat = column.storage.flatten()  # without the null ones
        is_bool = flat.type == pa.bool_()
        values = np.from_dlpack(flat.cast(pa.uint8()) if is_bool else flat)  # to_numpy() would load pandas
        tensors = iter((values.view(bool) if is_bool else values).reshape(-1, *column.type.shape))
        return [next(tensors) if is_there else None for is_there in column.is_valid().to_pylist()]
    found: list[Any] = column.to_pylist()
    return found


def _read(store: Store, path: str, offset: int = 0, length: int | None = None) -> bytes:
    try:
        return store.read(path, offset, length)
    except FileNotFoundError as error:
        raise CorruptError(f"{store.root}/{path} is missing. Pull the version again") from error


def _as_bytes(group_id: bytes | str) -> bytes:
    return group_id.encode() if isinstance(group_id, str) else group_id
