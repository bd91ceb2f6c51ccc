"""How the sizes of groups are distributed: percentiles, inequality, a histogram. Arrays in, numbers out; no I/O."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PERCENTILES = (10, 50, 90, 99)

_BLOCK_GROUPS = 1 << 20  # so that no array of weights as long as the sizes is made
_MAX_BINS = 24


@dataclass(frozen=True)
class SizeSummary:
    """Sizes of groups, in a unit of the caller's.

    Attributes:
        total: their sum.
        mean: per group; 0.0 where there is no group.
        percentiles: the size at this percentage of the way from the smallest group to the largest; the smaller of two.
        max: the largest.
        gini: 0.0 where all groups are equally large; towards 1.0 the more one group holds everything.
        share_of_largest: of the total, 0.0 to 1.0.
        share_of_singletons: of the groups, those of size 1.
    """

    total: int
    mean: float
    percentiles: dict[int, int]
    max: int
    gini: float
    share_of_largest: float
    share_of_singletons: float


@dataclass(frozen=True)
class Bin:
    """One bar of a histogram: the groups of `least` to `most`, both included, and their sum."""

    least: int
    most: int
    num_groups: int
    total: int


def summarize(ascending: np.ndarray) -> SizeSummary:
    """The figures of sizes that are sorted already. O(1) memory beside them.

    >>> summarize(np.array([1, 1, 2, 6])).gini
    0.4

    Args:
        ascending: int64[num_groups], each at least 0.
    """
    num_groups, total = len(ascending), int(ascending.sum(dtype=np.int64))
    if not num_groups:
        return SizeSummary(0, 0.0, dict.fromkeys(PERCENTILES, 0), 0, 0.0, 0.0, 0.0)
    at = {p: (num_groups - 1) * p // 100 for p in PERCENTILES}  # as the manifest has them
    largest = int(ascending[-1])
    return SizeSummary(
        total=total,
        mean=total / num_groups,
        percentiles={p: int(ascending[i]) for p, i in at.items()},
        max=largest,
        gini=_gini(ascending, total),
        share_of_largest=largest / total if total else 0.0,
        share_of_singletons=_between(ascending, 1, 1) / num_groups,
    )


def _gini(ascending: np.ndarray, total: int) -> float:
    """Source: the sum of (2 i - n - 1) x_i over n sum(x), for x in ascending order and i from 1."""
    if not total:
        return 0.0
    n, weighted = len(ascending), 0.0
    for start in range(0, n, _BLOCK_GROUPS):
        sizes = ascending[start : start + _BLOCK_GROUPS]
        weighted += float(np.arange(2 * start + 1 - n, 2 * (start + len(sizes)) + 1 - n, 2) @ sizes.astype(np.float64))
    return weighted / (n * total)


def histogram(ascending: np.ndarray) -> list[Bin]:
    """Bins whose bounds grow by the same factor, 2 or a power of it, so that there are at most 25; 0 has its own.

    >>> [(b.least, b.most, b.num_groups) for b in histogram(np.array([0, 1, 2, 3, 9]))]
    [(0, 0, 1), (1, 1, 1), (2, 3, 2), (4, 7, 0), (8, 15, 1)]

    Args:
        ascending: int64[num_groups], sorted, each at least 0.
    """
    if not len(ascending):
        return []
    least, most = int(ascending[0]), int(ascending[-1])
    step = max(1, -(-most.bit_length() // _MAX_BINS))  # bits a bin
    edges = [(0, 0)] if least == 0 else []
    edges += [(1 << bits, (1 << bits + step) - 1) for bits in range(0, most.bit_length(), step)]
    return [_bin(ascending, low, high) for low, high in edges if high >= least]


def _bin(ascending: np.ndarray, least: int, most: int) -> Bin:
    start, stop = _range_of(ascending, least, most)
    return Bin(least, most, stop - start, int(ascending[start:stop].sum(dtype=np.int64)))


def _between(ascending: np.ndarray, least: int, most: int) -> int:
    start, stop = _range_of(ascending, least, most)
    return stop - start


def _range_of(ascending: np.ndarray, least: int, most: int) -> tuple[int, int]:
    return int(np.searchsorted(ascending, least, "left")), int(np.searchsorted(ascending, most, "right"))
