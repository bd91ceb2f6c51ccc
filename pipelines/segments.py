"""The segments of one shard out of all runs, in their final order, with bounded memory.

Each run's part of the index is sorted, and is read some blocks at a time. In each round the rows are taken that no row
still unread can come before: those up to the least of the last keys that were read. So however many runs there are and
however large their indexes, what is held at once is bounded, and one file is open at a time.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from groupstream.group_order import shard_bounds
from pipelines.run_file import BLOCK_SEGMENTS, INDEX_SCHEMA, Run, index_blocks
from pipelines.staging import StagingArea

SEGMENT_SCHEMA = INDEX_SCHEMA.append(pa.field("run", pa.int32()))
MapReads = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]]

_KEY = ("hash_first", "hash_last", "piece_index", "first_row")


def segments_of_shard(
    staging: StagingArea, runs: Sequence[Run], shard_index: int, num_shards: int, max_segments: int, map_reads: MapReads
) -> Iterator[pa.Table]:
    """The segments of a shard in their final order, some at a time; `run` is the position of each one's run in `runs`.

    Args:
        runs: of one split, each with a path.
        max_segments: how many to hold at once; at least a block of each run.
        map_reads: `map`, or that of an executor where what a read costs is waiting.
    """
    bounds = [0, *shard_bounds(num_shards).tolist()]
    low, high = bounds[shard_index], bounds[shard_index + 1] if shard_index + 1 < num_shards else None
    at_once = max(1, max_segments // max(len(runs), 1) // BLOCK_SEGMENTS)
    blocks = [index_blocks(staging, run, low, high, at_once) for run in runs]
    cursors = [_Cursor(some, number, at_once) for number, some in enumerate(blocks)]
    while cursors := [c for c, has_rows in zip(cursors, map_reads(_Cursor.fill, cursors), strict=True) if has_rows]:
        bound = min((cursor.last_key for cursor in cursors if not cursor.is_at_end), default=None)
        parts = [part for cursor in cursors if len(part := cursor.take(bound))]
        yield _sorted(pa.concat_tables(parts))


def _sorted(segments: pa.Table) -> pa.Table:
    order = np.lexsort([segments[name].to_numpy() for name in reversed(_KEY)])
    return segments.take(pa.array(order)).combine_chunks()


class _Cursor:
    """How far one run's part of the index is read, and what is read of it but not taken."""

    def __init__(self, blocks: Iterator[pa.RecordBatch], run: int, num_blocks: int) -> None:
        self._blocks = blocks
        self._run = run
        self._num_blocks = num_blocks  # to read at once
        self._rows = INDEX_SCHEMA.empty_table()
        self.is_at_end = False

    def fill(self) -> bool:
        """Reads on where nothing is left; whether anything is there to take."""
        while not len(self._rows) and not self.is_at_end:
            some = list(itertools.islice(self._blocks, self._num_blocks))
            self.is_at_end = len(some) < self._num_blocks
            self._rows = pa.Table.from_batches(some, INDEX_SCHEMA).combine_chunks()
        return len(self._rows) > 0

    @property
    def last_key(self) -> tuple[int, ...]:
        """The key of the last row that was read."""
        return tuple(self._rows[name][-1].as_py() for name in _KEY)

    def take(self, bound: tuple[int, ...] | None) -> pa.Table:
        """The rows up to and with the key `bound`, or all; they are taken out."""
        count = len(self._rows) if bound is None else self._num_up_to(bound)
        taken, self._rows = self._rows.slice(0, count), self._rows.slice(count)
        return taken.append_column("run", pa.array(np.full(count, self._run, np.int32)))

    def _num_up_to(self, bound: tuple[int, ...]) -> int:
        """Narrows the rows to those with the same first part of the key, then the second, and so on."""
        start, end = 0, len(self._rows)
        for name, value in zip(_KEY, bound, strict=True):
            column = self._rows[name].to_numpy()[start:end]
            value = column.dtype.type(value)
            start, end = (start + int(np.searchsorted(column, value, side=side)) for side in ("left", "right"))
        return end
