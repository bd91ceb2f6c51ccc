"""Chunks: groups that are read and decoded together, some of them ahead of the reader."""

from __future__ import annotations

import contextlib
import functools
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from groupstream.group import Group
from groupstream.group_rows import GroupRows
from groupstream.shard_reader import ShardReader

if TYPE_CHECKING:
    from groupstream.arrow_reader import ArrowShard

CHUNK_BYTES = 4 << 20  # about how much is read at once: more leaves the caches of a core, less costs calls


class Chunk:
    """Whole groups that are read together; or one group that is larger than a chunk, which is read in blocks.

    Attributes:
        rows: the groups.
        bounds: int64[num_groups + 1]: group i has the examples from bounds[i] to bounds[i + 1].
    """

    def __init__(self, reader: ShardReader, rows: GroupRows) -> None:
        self._reader = reader
        self.rows = rows
        self.bounds = np.concatenate([[0], np.cumsum(rows.num_examples)])
        self.on_arrival: Callable[[], None] = lambda: None
        self.ahead: Future[object] | None = None
        self._records: pa.LargeBinaryArray | None = None
        self._examples: pa.RecordBatch | None = None  # no cached_property: up to Python 3.11 all chunks share its lock
        self._arrived: pa.RecordBatch | None = None

    @property
    def is_large(self) -> bool:
        """Whether it is one group that should not be held in memory."""
        return len(self.rows) == 1 and int(self.rows.length_bytes[0]) > CHUNK_BYTES

    @property
    def records(self) -> pa.LargeBinaryArray:
        """The serialised tf.train.Examples of all groups, all CRCs checked."""
        self._arrive()
        return self.read()

    @property
    def examples(self) -> pa.RecordBatch:
        """The decoded examples of all groups."""
        self._arrive()
        return self.decode()

    def read(self) -> pa.LargeBinaryArray:
        """Reads its records, in whichever thread this is called."""
        if (records := self._records) is None:
            records = self._records = self._reader.read_groups(self.rows)
        return records

    def decode(self) -> pa.RecordBatch:
        """Reads and decodes its examples, in whichever thread this is called; two at once do it twice."""
        if (examples := self._examples) is None:
            arrow = self._reader.arrow
            examples = self._reader.decode(self.read()) if arrow is None else arrow.examples_of(self.rows)
            self._examples, self._records = examples, None
        return examples

    def _arrive(self) -> None:
        """Takes over what was begun ahead, and lets those after it begin."""
        if (ahead := self.ahead) is not None and not ahead.cancel():
            try:
                ahead.result()
            except BaseException:
                self.ahead = None  # the next call reads for itself
                raise
        self.on_arrival()

    def blocks(self, num_skipped: int = 0) -> Iterator[pa.RecordBatch]:
        """The decoded examples from number `num_skipped` on; a block at a time if it is large.

        What is skipped of a large one is read, but not decoded.
        """
        if self.is_large:
            yield from self._reader.batches_of(self.rows, num_skipped)
        else:
            yield self.examples.slice(num_skipped)

    def batches_of(self, place: int, num_examples: int) -> Iterator[pa.RecordBatch]:
        """The decoded examples of one of its groups; of the Arrow copy, slices without a copy."""
        if self._reader.arrow is None:
            if (examples := self._arrived) is None:
                examples = self._arrived = self.examples
            return iter((examples.slice(self._firsts[place], num_examples),))
        shard, first = self._places[place]
        return shard.slices(first, num_examples)

    @functools.cached_property
    def _firsts(self) -> list[int]:
        return self.bounds.tolist()

    @functools.cached_property
    def _places(self) -> list[tuple[ArrowShard, int]]:
        assert self._reader.arrow is not None
        return self._reader.arrow.places(self.rows)

    def groups(self) -> Iterator[Group]:
        """Its groups, in order."""
        reader, rows = self._reader, self.rows
        together = None if self.is_large else weakref.ref(self)
        for i, (group_id, num_examples) in enumerate(zip(rows.group_ids, rows.num_examples.tolist(), strict=True)):
            yield Group(reader, rows, i, group_id, num_examples, together)


def cut_in_chunks(reader: ShardReader, blocks: Iterable[GroupRows]) -> Iterator[Chunk]:
    """Cuts the rows wherever enough bytes have come together. A larger group stands alone."""
    for rows in blocks:
        ends = np.cumsum(rows.length_bytes)
        start = 0
        while start < len(rows):
            before = int(ends[start - 1]) if start else 0
            stop = max(start + 1, int(np.searchsorted(ends, before + CHUNK_BYTES, side="right")))
            yield Chunk(reader, rows.cut(start, stop))
            start = stop


def work_ahead(chunks: Iterator[Chunk], work: Callable[[Chunk], object], num_chunks: int) -> Iterator[Chunk]:
    """The same chunks. When one is asked for its content, work begins on those after it, in threads of their own.

    Args:
        work: `Chunk.read` or `Chunk.decode`.
        num_chunks: how many; memory is bounded by as many chunks and one. With 0 all is done when it is asked for.
    """
    if not num_chunks:
        yield from chunks
        return
    # Not a context: leaving one waits for its threads, and a stream may be dropped in any thread, even in one of these.
    pool = ThreadPoolExecutor(num_chunks, thread_name_prefix="groupstream")
    waiting: deque[Chunk] = deque()

    def start() -> None:
        with contextlib.suppress(RuntimeError):  # the stream was left meanwhile, in another thread
            for chunk in tuple(waiting):
                if chunk.ahead is None and not chunk.is_large:
                    chunk.ahead = pool.submit(work, chunk)

    try:
        while True:
            while len(waiting) <= num_chunks and (chunk := next(chunks, None)) is not None:
                waiting.append(chunk)
            if not waiting:
                return
            current = waiting.popleft()
            current.on_arrival = start
            yield current
    finally:
        waiting.clear()  # a chunk that is kept is read by itself
        pool.shutdown(wait=False, cancel_futures=True)
