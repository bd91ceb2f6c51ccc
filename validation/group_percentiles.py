"""Percentiles of the sizes of groups: exact, and in memory that does not grow with their number.

Sizes are counted by their 16 leading bits (radix selection), so that those below 65,536 are exact at once. For a larger
percentile the groups are read again, and only the sizes that share its leading bits are counted one by one. Where the
groups hold T in all, T / size of them can be so large, of size / 2**15 different sizes: never more than the square root
of T / 2**15 to hold, 200,000 in a petabyte. Counting every size exactly from the start takes 16 bytes a group, since
hardly two have the same number of bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

_BITS = 16
_STEPS = 1 << np.arange(_BITS, 63, dtype=np.int64)


class SizeRange(NamedTuple):
    """Where a size is: from `start` to before `stop`, and among the sizes there at `rank`, from 0.

    Attributes:
        column: of the blocks, which holds such sizes.
    """

    column: str
    start: int
    stop: int
    rank: int


class SizeCounts:
    """How many groups have which size, by the leading bits."""

    def __init__(self) -> None:
        self._counts = np.zeros(0, np.int64)

    def add(self, sizes: np.ndarray) -> None:
        """Counts some more. int64[num_groups], none negative."""
        shifts = np.searchsorted(_STEPS, sizes, side="right")
        counts = np.bincount((shifts << (_BITS - 1)) + (sizes >> shifts), minlength=len(self._counts))
        counts[: len(self._counts)] += self._counts
        self._counts = counts

    def range_at(self, rank: int, column: str) -> SizeRange:
        """Where the size of this rank is, from 0."""
        before = np.cumsum(self._counts)
        code = int(np.searchsorted(before, rank, side="right"))
        shift = max(0, (code >> (_BITS - 1)) - 1)
        start = (code - (shift << (_BITS - 1))) << shift
        return SizeRange(column, start, start + (1 << shift), rank - int(before[code] - self._counts[code]))


def rank_of(percent: float, num_groups: int) -> int:
    """The place of a percentile among the ascending sizes, from 0; as `statistics_of` takes it.

    >>> rank_of(0, 10), rank_of(50, 10), rank_of(100, 10)
    (0, 4, 9)
    """
    return math.floor((num_groups - 1) * (percent / 100))


def exact_sizes(ranges: Sequence[SizeRange], blocks: Iterable[np.ndarray]) -> list[int]:
    """The sizes in these ranges. Reads the groups again, once, where a range holds several sizes.

    Args:
        blocks: all groups again, as `group_blocks.BLOCK`.
    """
    wide = {one: (np.zeros(0, np.int64), np.zeros(0, np.int64)) for one in ranges if one.stop - one.start > 1}
    for block in blocks if wide else ():
        for one, counted in wide.items():
            sizes = block[one.column]
            wide[one] = _counted(*counted, sizes[(sizes >= one.start) & (sizes < one.stop)])
    return [_at_rank(*wide[one], one.rank) if one in wide else one.start for one in ranges]


def _at_rank(values: np.ndarray, counts: np.ndarray, rank: int) -> int:
    return int(values[np.searchsorted(np.cumsum(counts), rank, side="right")])


def _counted(values: np.ndarray, counts: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values and how often each is there, with some more sizes."""
    more, more_counts = np.unique(sizes, return_counts=True)
    together, inverse = np.unique(np.concatenate([values, more]), return_inverse=True)
    return together, np.bincount(inverse, np.concatenate([counts, more_counts]), len(together)).astype(np.int64)
