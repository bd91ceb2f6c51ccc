"""Which groups are read where not all are: the ends of each shard, and places that are drawn.

Each shard is cut in windows; a group belongs to the window where it begins. Windows are drawn, so neighbours are read
together, in one request. As the stored order is that of a hash, neighbours are a random sample as good as any.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from groupstream.dataset import Split
from groupstream.group_rows import numbers_of
from groupstream.permutation import permute
from groupstream.verify_tables import group_batches

_COLUMNS = ["shard_index", "offset_bytes", "length_bytes"]
_NUM_WINDOWS = 1 << 10  # about, of a sample
_MAX_WINDOWS = 1 << 20  # of a split: 9 bytes of memory each
_WINDOW_BYTES = (64 << 10, 256 << 10)  # least, and most unless there would be too many
_GROUP_BYTES = (64 << 10, 16 << 20)


@dataclass(frozen=True)
class Sample:
    """Groups of a split.

    Attributes:
        group_bytes: at most so much of a group is read, from its beginning.
        window_bytes: the size of a window.
        first_windows: int64[num_shards], the number of the first window of each shard.
        is_chosen: bool[num_windows].
        last_offsets: int64[num_shards], where the last group of each shard begins, if that is read too; else -1.
    """

    group_bytes: int
    window_bytes: int
    first_windows: np.ndarray
    is_chosen: np.ndarray
    last_offsets: np.ndarray

    def rows(self, shards: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """bool[num_groups]: which of these groups are read. All must begin inside of their shards."""
        chosen = self.is_chosen[self.first_windows[shards] + offsets // self.window_bytes]
        return chosen | (offsets == 0) | (offsets == self.last_offsets[shards])


def draw_sample(split: Split, sample_bytes: int, seed: int) -> Sample:
    """Draws groups for about `sample_bytes` together, and never more but for the first group of each shard.

    Reads three columns of the index. The same index, bytes and seed give the same groups.

    Raises:
        CorruptError: the index cannot be read.
    """
    sizes = np.array([shard.size_bytes for shard in split.info.shards], np.int64)
    window_bytes = max(_within(sample_bytes // _NUM_WINDOWS, _WINDOW_BYTES), int(sizes.sum()) // _MAX_WINDOWS)
    group_bytes = _within(sample_bytes // (4 * max(len(sizes), 1)), _GROUP_BYTES)
    per_shard = -(-sizes // window_bytes)
    costs = _Costs(np.cumsum(per_shard) - per_shard, window_bytes, group_bytes, int(per_shard.sum()))
    for shards, offsets, lengths in _places(split, sizes):
        costs.add(shards, offsets, lengths)
    left = sample_bytes - int(costs.of_first.sum() + costs.of_last.sum())
    last_offsets = costs.last_offsets if left >= 0 else np.full_like(costs.last_offsets, -1)
    chosen = _affordable(costs.of_windows, left, seed, split.name)
    return Sample(group_bytes, window_bytes, costs.first_windows, chosen, last_offsets)


def _within(size: int, bounds: tuple[int, int]) -> int:
    return min(max(size, bounds[0]), bounds[1])


def _places(split: Split, sizes: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    for batch in group_batches(split, _COLUMNS):
        columns = [numbers_of(batch.column(name)) for name in _COLUMNS]
        rows = inside_shards(batch, sizes)
        yield tuple(column[rows] for column in columns)


def inside_shards(batch: pa.RecordBatch, sizes: np.ndarray) -> np.ndarray:
    """bool[num_rows]: the shard is there, and the group lies in it."""
    shards, offsets, lengths = (numbers_of(batch.column(name)) for name in _COLUMNS)
    known = (shards >= 0) & (shards < len(sizes)) & (offsets >= 0) & (lengths > 0)
    room = np.zeros(len(shards), np.int64)
    room[known] = sizes[shards[known]] - offsets[known]
    return known & (lengths <= room)


class _Costs:
    """How many bytes are read for what may be chosen."""

    def __init__(self, first_windows: np.ndarray, window_bytes: int, group_bytes: int, num_windows: int) -> None:
        self.first_windows = first_windows
        self.of_windows = np.zeros(num_windows, np.int64)
        self.of_first = np.zeros(len(first_windows), np.int64)
        self.of_last = np.zeros(len(first_windows), np.int64)
        self.last_offsets = np.full(len(first_windows), -1, np.int64)
        self._window_bytes = window_bytes
        self._group_bytes = group_bytes

    def add(self, shards: np.ndarray, offsets: np.ndarray, lengths: np.ndarray) -> None:
        """Takes groups, of which those of a shard come in order."""
        costs = np.minimum(lengths, self._group_bytes)
        np.add.at(self.of_windows, self.first_windows[shards] + offsets // self._window_bytes, costs)
        first = offsets == 0
        self.of_first[shards[first]] = costs[first]
        self.last_offsets[shards], self.of_last[shards] = offsets, costs  # of those of a shard, the last one stays


def _affordable(costs: np.ndarray, budget: int, seed: int, name: str) -> np.ndarray:
    """bool[num_windows]: the first in the order of the draw that can be read for so many bytes."""
    order = permute(np.arange(len(costs)), len(costs), seed, f"windows of {name}")
    chosen = np.zeros(len(costs), bool)
    chosen[order[: int(np.searchsorted(np.cumsum(costs[order]), budget, side="right"))]] = True
    return chosen
