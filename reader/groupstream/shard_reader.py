"""The records of groups, read from the shards of a split: neighbours in one request, whatever order is asked for."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from groupstream.errors import CorruptError
from groupstream.examples.decoding import decode_examples
from groupstream.features import Feature
from groupstream.group_rows import GroupRows
from groupstream.ranges import read_ranges
from groupstream.stored import read_stored
from groupstream.stores import Store
from groupstream.tfrecord import iter_record_blocks, unframe

if TYPE_CHECKING:
    from groupstream.arrow_reader import ArrowCopies


@dataclass(frozen=True)
class ShardReader:
    """Reads groups of one split.

    Attributes:
        store: where the version lies.
        paths: of the shards in the store, by `shard_index`.
        features: what is decoded of each example.
        arrow: the decoded examples, where they are mapped into memory and need no decoding.
    """

    store: Store
    paths: tuple[str, ...]
    features: Mapping[str, Feature]
    arrow: ArrowCopies | None = None

    def read_groups(self, rows: GroupRows) -> pa.LargeBinaryArray:
        """The serialised tf.train.Examples of some groups, one group after the other, all CRCs checked.

        One request for each run of groups that lie together. Holds all of them in memory.

        Raises:
            CorruptError: the bytes are not those that were written.
        """
        if not len(rows):
            return pa.array([], pa.large_binary())
        try:
            records = unframe(self._frames(rows), self._where(rows))
        except CorruptError:
            self._name_the_broken(rows)
            raise
        if len(records) != (expected := int(rows.num_examples.sum())):
            self._name_the_broken(rows)
            raise CorruptError(_wrong_count(self._where(rows), len(rows), expected, len(records)))
        return records

    def blocks_of(self, rows: GroupRows) -> Iterator[pa.LargeBinaryArray]:
        """The serialised examples of a single group, a block at a time, however large it is.

        Raises:
            CorruptError: the bytes are not those that were written.
        """
        path = self.paths[rows.shard_index[0]]
        read = functools.partial(read_stored, self.store, path)
        start, length, expected = (int(c[0]) for c in (rows.offset_bytes, rows.length_bytes, rows.num_examples))
        found = 0
        for block in iter_record_blocks(read, start, length, f"{self.store.root}/{path}"):
            found += len(block)
            yield block
        if found != expected:
            name = rows.group_ids[0].decode(errors="backslashreplace")
            raise CorruptError(
                f"group {name!r} should have {expected} examples, {found} were read from {self.store.root}/{path}. "
                "Check the version with: groupstream verify REF"
            )

    def batches_of(self, rows: GroupRows, num_skipped: int = 0) -> Iterator[pa.RecordBatch]:
        """The decoded examples of a single group from number `num_skipped` on, a batch at a time."""
        if self.arrow is not None:
            return self.arrow.batches_of(rows, num_skipped)
        return map(self.decode, _without_first(self.blocks_of(rows), num_skipped))

    def decode(self, records: pa.LargeBinaryArray) -> pa.RecordBatch:
        """The features of the examples."""
        return decode_examples(records, self.features)

    def _frames(self, rows: GroupRows) -> bytes:
        """The framed records of the groups, in the order of the rows."""
        starts, lengths = rows.offset_bytes, rows.length_bytes
        ends = starts + lengths
        follows = (rows.shard_index[1:] == rows.shard_index[:-1]) & (starts[1:] == ends[:-1])
        if follows.all():
            return self._read(int(rows.shard_index[0]), int(starts[0]), int(ends[-1]))
        return b"".join(read_ranges(self.store, self.paths, rows.shard_index, starts, lengths))

    def _read(self, shard_index: int, start: int, end: int) -> bytes:
        return read_stored(self.store, self.paths[shard_index], start, end - start)

    def _where(self, rows: GroupRows) -> str:
        return f"{self.store.root}/{self.paths[rows.shard_index[0]]}, byte {rows.offset_bytes[0]}"

    def _name_the_broken(self, rows: GroupRows) -> None:
        """Reads the groups one by one, so that the error names the group and its place."""
        for i in range(len(rows)):
            for _ in self.blocks_of(rows.cut(i, i + 1)):
                pass


def _without_first(blocks: Iterator[pa.LargeBinaryArray], num_skipped: int) -> Iterator[pa.LargeBinaryArray]:
    for block in blocks:
        left = block.slice(num_skipped)
        num_skipped = max(0, num_skipped - len(block))
        if len(left):
            yield left


def _wrong_count(where: str, num_groups: int, expected: int, found: int) -> str:
    return (
        f"{where} should hold {expected} examples of {num_groups} groups, {found} were read. "
        "Check the version with: groupstream verify REF"
    )
