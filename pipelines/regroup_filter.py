"""What regrouping did to one range of hashes, and how a merge leaves out what it replaced.

A group that is dropped, merged, capped or split is *excluded*: its hash stands in a sorted file, and its records in
the runs of the spill count no more. What became of them are records in further runs.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from groupstream import ExampleError
from groupstream.group_order import shard_bounds
from pipelines.run_file import Run
from pipelines.staging import StagingArea
from pipelines.tally import Tally

HASH_WORDS = np.dtype([("first", "<u8"), ("last", "<u8")])  # of an excluded group; 16 bytes
_BLOCK_HASHES = 1 << 16
_SHOWN_CHARACTERS = 80


@dataclass(frozen=True)
class RegroupedRange:
    """What became of the groups of one range of hashes that were too small or too large.

    Attributes:
        low, high: the first words of the range's hashes are in [low, high); no upper bound where `high` is None.
        hashes_path: in the staging area, the hashes of the excluded groups in order, as `HASH_WORDS`.
        excluded_bytes: by split, of the excluded groups in the runs of the spill.
        runs: with what became of them.
        tally: groups by what was done, examples that were dropped; it has read no examples.
    """

    low: int
    high: int | None
    hashes_path: str
    num_excluded: int
    excluded_bytes: dict[str, int]
    runs: tuple[Run, ...]
    tally: Tally


def bounds_of(index: int, count: int) -> tuple[int, int | None]:
    """The first words [low, high) of range `index` of `count`, which shards have as well."""
    bounds = [0, *shard_bounds(count).tolist(), None]
    return bounds[index], bounds[index + 1]


class SegmentFilter:
    """Tells which segments of a shard count, in sorted tables one after the other.

    Args:
        num_spilled: how many of the runs come from the spill; those after them come from regrouping.
        low, high: bounds of the shard.
    """

    def __init__(
        self, staging: StagingArea, ranges: Sequence[RegroupedRange], num_spilled: int, low: int, high: int | None
    ) -> None:
        self._blocks = _hash_blocks(staging, ranges, low, high)
        self._block: np.ndarray | None = next(self._blocks, None)
        self._num_spilled = num_spilled
        self._before: tuple[int, int, bool] | None = None  # of the last segment: its hash, whether of the spill

    def counted(self, segments: pa.Table) -> np.ndarray:
        """bool[num_segments]: all but those of the spill whose groups are excluded.

        Raises:
            ExampleError: a group of the source has the id that regrouping gave to another.
        """
        first, last = (segments[name].to_numpy() for name in ("hash_first", "hash_last"))
        is_spilled = segments["run"].to_numpy() < self._num_spilled
        counted = ~(is_spilled & self._excluded(first, last))
        self._refuse_mixed(segments, first, last, is_spilled, np.flatnonzero(counted))
        return counted

    def _excluded(self, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        found = np.zeros(len(first), bool)
        start = 0
        while self._block is not None:
            end = _num_up_to(first, last, self._block[-1])
            found[start:end] = _contains(self._block, first[start:end], last[start:end])
            start = end
            if start == len(first):
                break  # the block may hold groups of the next table too
            self._block = next(self._blocks, None)
        return found

    def _refuse_mixed(
        self, segments: pa.Table, first: np.ndarray, last: np.ndarray, is_spilled: np.ndarray, counted: np.ndarray
    ) -> None:
        if not len(counted):
            return
        first, last, kind = first[counted], last[counted], is_spilled[counted]
        mixed = np.flatnonzero((first[1:] == first[:-1]) & (last[1:] == last[:-1]) & (kind[1:] != kind[:-1])) + 1
        if self._before and self._before[:2] == (first[0], last[0]) and self._before[2] != kind[0]:
            mixed = np.append(0, mixed)
        self._before = int(first[-1]), int(last[-1]), bool(kind[-1])
        if len(mixed):
            raise ExampleError(
                f"group {shown(segments['group_id'][int(counted[mixed[0]])].as_py())} is in the source, and "
                "checks.groups.too_large: split gives a part of another group the same id. Choose cap or drop, or "
                "another max_examples"
            )


def shown(group_id: bytes) -> str:
    """An id in a line of text, cut short where it is long."""
    text = repr(group_id.decode(errors="backslashreplace")[: _SHOWN_CHARACTERS + 1])
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 3]}...'"


def _hash_blocks(
    staging: StagingArea, ranges: Sequence[RegroupedRange], low: int, high: int | None
) -> Iterator[np.ndarray]:
    """The excluded hashes from `low` on, in order, some at a time."""
    for one in sorted(ranges, key=lambda one: one.low):
        if (high is not None and one.low >= high) or (one.high is not None and one.high <= low):
            continue
        place = _HashFile(staging, one.hashes_path)
        start = bisect_left(range(one.num_excluded), low, key=place.first_word)
        for position in range(start, one.num_excluded, _BLOCK_HASHES):
            yield place.read(position, min(_BLOCK_HASHES, one.num_excluded - position))


@dataclass(frozen=True)
class _HashFile:
    staging: StagingArea
    path: str

    def first_word(self, position: int) -> int:
        return int(self.read(position, 1)["first"][0])

    def read(self, position: int, count: int) -> np.ndarray:
        data = np.empty(count * HASH_WORDS.itemsize, np.uint8)
        self.staging.read_into(self.path, position * HASH_WORDS.itemsize, data)
        return data.view(HASH_WORDS)


def _num_up_to(first: np.ndarray, last: np.ndarray, bound: np.void) -> int:
    """How many of the sorted hashes come before `bound`, or are it."""
    start, end = (int(np.searchsorted(first, bound["first"], side=side)) for side in ("left", "right"))
    return start + int(np.searchsorted(last[start:end], bound["last"], side="right"))


def _contains(block: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """bool[num_hashes]: whether the sorted block has each of them."""
    found = np.zeros(len(first), bool)
    at = np.searchsorted(block["first"], first, side="left")
    while True:  # once, but for groups whose hashes begin with the same word
        inside = np.minimum(at, len(block) - 1)
        same = (at < len(block)) & (block["first"][inside] == first)
        if not same.any():
            return found
        found |= same & (block["last"][inside] == last)
        at += 1
