"""One group, and groups that are read together."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from groupstream.errors import CorruptError
from groupstream.example_decoding import decode_examples
from groupstream.features import Feature
from groupstream.stores import Store
from groupstream.tfrecord import iter_record_blocks, unframe

Row = dict[str, Any]  # of the group table

NEIGHBOURS_BYTES = 8 << 20  # about how much of a shard is read at once in a stream of groups


class Neighbours:
    """Some groups that stand one after the other in a shard. They are read in one request and decoded together.

    They are read when the first of them is. A group only refers to its neighbours for as long as the stream stands
    among them, so a list of groups holds no data.
    """

    def __init__(
        self, store: Store, path: str, features: Mapping[str, Feature], rows: Sequence[dict[str, Any]]
    ) -> None:
        self._store = store
        self._path = path
        self._features = features
        self._rows = rows

    def groups(self) -> Iterator[Group]:
        """The groups, in order. Only a group that has neighbours is read with them."""
        together = self if len(self._rows) > 1 else None
        for row in self._rows:
            yield Group(self._store, self._path, self._features, row, together)

    def examples_of(self, offset_bytes: int) -> pa.RecordBatch:
        """The examples of the group that begins there. A slice, no copy."""
        first, count = self._places[offset_bytes]
        return self._examples.slice(first, count)

    @functools.cached_property
    def _places(self) -> dict[int, tuple[int, int]]:
        counts = [row["num_examples"] for row in self._rows]
        firsts = np.cumsum([0, *counts[:-1]]).tolist()
        return {
            row["offset_bytes"]: (first, count) for row, first, count in zip(self._rows, firsts, counts, strict=True)
        }

    @functools.cached_property
    def _examples(self) -> pa.RecordBatch:
        return decode_examples(self.records(), self._features)

    def records(self) -> pa.LargeBinaryArray:
        """The serialised tf.train.Examples of all groups together, all CRCs checked.

        Raises:
            CorruptError: the bytes are not those that were written.
        """
        start, length = self._rows[0]["offset_bytes"], sum(row["length_bytes"] for row in self._rows)
        where = f"{self._store.root}/{self._path}, byte {start}"
        records = unframe(read_stored(self._store, self._path, start, length), where)
        if len(records) != (expected := sum(row["num_examples"] for row in self._rows)):
            raise CorruptError(
                f"{where} should hold {expected} examples of {len(self._rows)} groups, {len(records)} were read. "
                "Check the version with: groupstream verify REF"
            )
        return records


def in_neighbourhoods(rows: Iterator[Row]) -> Iterator[list[Row]]:
    """Cuts consecutive rows of a group table where the shard ends or enough bytes have come together."""
    together: list[Row] = []
    size = 0
    for row in rows:
        if together and (
            size + row["length_bytes"] > NEIGHBOURS_BYTES or row["shard_index"] != together[0]["shard_index"]
        ):
            yield together
            together, size = [], 0
        together.append(row)
        size += row["length_bytes"]
    if together:
        yield together


class Group:
    """The examples of one group. Reading is one range request, a block of it at a time."""

    def __init__(
        self,
        store: Store,
        path: str,
        features: Mapping[str, Feature],
        row: dict[str, Any],
        neighbours: Neighbours | None = None,
    ) -> None:
        self._store = store
        self._path = path
        self._features = features
        self._row = row
        self._neighbours = None if neighbours is None else weakref.ref(neighbours)

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
        read = functools.partial(read_stored, self._store, self._path)
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
        neighbours = self._neighbours and self._neighbours()
        if neighbours:
            yield neighbours.examples_of(self._row["offset_bytes"])
            return
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


def read_stored(store: Store, path: str, offset: int = 0, length: int | None = None) -> bytes:
    """The bytes of a file of a version, or of a range of it.

    Raises:
        CorruptError: the file is missing.
    """
    try:
        return store.read(path, offset, length)
    except FileNotFoundError as error:
        raise CorruptError(f"{store.root}/{path} is missing. Pull the version again") from error
