"""One group."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from groupstream.group_rows import GroupRows
from groupstream.python_values import python_values
from groupstream.shard_reader import ShardReader

if TYPE_CHECKING:
    from groupstream.chunk import Chunk


class Group:
    """The examples of one group.

    In a stream, groups are read and decoded together with those near them, and a group only refers to that for as
    long as the stream stands there: a list of groups holds no data. Elsewhere a group is read by itself, a block of
    4 MiB a request.

    Attributes:
        id: the group id as it is stored.
        num_examples: how many examples it has.
    """

    __slots__ = ("__weakref__", "_chunk", "_place", "_reader", "_rows", "id", "num_examples")

    def __init__(
        self,
        reader: ShardReader,
        rows: GroupRows,
        place: int,
        group_id: bytes,
        num_examples: int,
        chunk: weakref.ref[Chunk] | None = None,
    ) -> None:
        self._reader = reader
        self._rows = rows
        self._place = place  # in the rows
        self._chunk = chunk
        self.id = group_id
        self.num_examples = num_examples

    @property
    def num_bytes(self) -> int:
        """Bytes of its serialised examples."""
        return int(self._rows.num_bytes[self._place])

    @property
    def num_words(self) -> int:
        """Words in its text features."""
        return int(self._rows.num_words[self._place])

    @property
    def name(self) -> str:
        """The group id as text; bytes that are not UTF-8 are escaped."""
        return self.id.decode(errors="backslashreplace")

    def records(self) -> Iterator[pa.LargeBinaryArray]:
        """Its serialised tf.train.Examples, a block of 4 MiB at a time, all CRCs checked. One request a block.

        In a stream too each group is read by itself; `chunks(decode=False)` reads those of many together.

        Raises:
            CorruptError: the bytes are not those that were written.
        """
        return self._reader.blocks_of(self._rows.cut(self._place, self._place + 1))

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Its examples, decoded, a block at a time: memory is bounded however large the group is."""
        chunk = self._chunk and self._chunk()
        if chunk:
            return chunk.batches_of(self._place, self.num_examples)
        return self._reader.batches_of(self._rows.cut(self._place, self._place + 1))

    def table(self) -> pa.Table:
        """All its examples as one table."""
        return pa.Table.from_batches(self.batches())

    def examples(self) -> Iterator[dict[str, Any]]:
        """Its examples as dictionaries of Python values; tensors are NumPy arrays."""
        for batch in self.batches():
            columns = [python_values(batch.column(name)) for name in batch.schema.names]
            rows = zip(*columns, strict=True) if columns else itertools.repeat((), len(batch))
            for values in rows:
                yield dict(zip(batch.schema.names, values, strict=True))

    def __reduce__(self) -> tuple[Any, ...]:
        """Travels to other processes without its data and its neighbours."""
        return single_group, (self._reader, self._rows.cut(self._place, self._place + 1))

    def __len__(self) -> int:
        return self.num_examples

    def __repr__(self) -> str:
        return f"<groupstream.Group {self.name!r}: {self.num_examples} examples>"


def single_group(reader: ShardReader, rows: GroupRows) -> Group:
    """The one group of `rows`, to be read by itself."""
    return Group(reader, rows, 0, rows.group_ids[0], int(rows.num_examples[0]))
