"""A histogram of real numbers that can be merged in any order, as fine as a bounded number of bins allows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from groupstream import SourceError
from partitioners.partitioner import ExampleIds

MAX_BINS = 1 << 18
_SIGN = np.uint64(1 << 63)


@dataclass(frozen=True, eq=False)
class Histogram:
    """How many values have each leading bits, of 64 that sort as the numbers do.

    It keeps the most bits with which there are at most `MAX_BINS` bins: that depends on the values alone, for fewer
    values never need fewer bits. So merging is exact and free of order, 64 bits tell all values apart where there
    are few, and a bin is narrow where values lie close. At most 4 MiB, and 16 bytes a batch.

    Attributes:
        bits: how many leading bits a bin has, from 18 to 64.
        keys: uint64[num_bins], these bits of each bin as a number; ascending.
        counts: int64[num_bins], at least 1.
        batches: int64[num_batches, 2], the (piece_index, first_row) of what was counted; sorted.
    """

    bits: int
    keys: np.ndarray
    counts: np.ndarray
    batches: np.ndarray

    @property
    def values(self) -> np.ndarray:
        """float64[num_bins]: the number in the middle of each bin; exact with 64 bits."""
        shift = np.uint64(64 - self.bits)
        middle = (np.uint64(1) << shift) >> np.uint64(1)
        return _values_of((self.keys << shift) | middle)


def count_values(values: np.ndarray, ids: ExampleIds) -> Histogram:
    """The histogram of a batch: of float64[num_values], all finite."""
    keys, counts = np.unique(ordered_keys(values), return_counts=True)
    return _bounded(Histogram(64, keys, counts, np.array([[ids.piece_index, ids.first_row]], np.int64)))


def merge_histograms(histograms: Iterable[Histogram]) -> Histogram:
    """Several as one. One whose batches are all counted in a larger one adds nothing.

    Raises:
        SourceError: two share some batches and not others, so that neither can be left out.
    """
    parts, waiting = [_EMPTY], 0
    for part in histograms:
        parts.append(part)
        waiting += len(part.keys)
        if waiting > 4 * MAX_BINS:
            parts, waiting = [_merged(parts)], 0
    return _merged(parts)


def ordered_keys(values: np.ndarray) -> np.ndarray:
    """uint64[num_values] that sort as the numbers do; 0.0 and -0.0 are equal.

    >>> ordered_keys(np.array([-1.5, 0.0, 2.0])).argsort().tolist()
    [0, 1, 2]
    """
    words = (values + 0.0).view(np.uint64)
    return np.where(words & _SIGN, ~words, words | _SIGN)


def _values_of(keys: np.ndarray) -> np.ndarray:
    return np.where(keys & _SIGN, keys ^ _SIGN, ~keys).view(np.float64)


def _merged(parts: list[Histogram]) -> Histogram:
    parts = _once(parts)
    bits = min(part.bits for part in parts)
    keys = np.concatenate([part.keys >> np.uint64(part.bits - bits) for part in parts])
    batches = np.concatenate([part.batches for part in parts])
    counts = np.concatenate([part.counts for part in parts])
    order = np.lexsort((batches[:, 1], batches[:, 0]))
    return _bounded(_gathered(bits, keys, counts, batches[order]))


def _once(parts: list[Histogram]) -> list[Histogram]:
    """Without the parts that others hold."""
    kept: list[Histogram] = []
    seen: set[tuple[int, int]] = set()
    for part in sorted(parts, key=lambda part: -len(part.batches)):
        names = set(map(tuple, part.batches.tolist()))
        if names.isdisjoint(seen):
            kept.append(part)
            seen |= names
        elif not names <= seen:
            raise SourceError("partitioner: batches were counted twice, and cannot be told apart any more; build again")
    return kept


def _bounded(histogram: Histogram) -> Histogram:
    while len(histogram.keys) > MAX_BINS:
        keys = histogram.keys >> np.uint64(1)
        histogram = _gathered(histogram.bits - 1, keys, histogram.counts, histogram.batches)
    return histogram


def _gathered(bits: int, keys: np.ndarray, counts: np.ndarray, batches: np.ndarray) -> Histogram:
    distinct, places = np.unique(keys, return_inverse=True)
    sums = np.zeros(len(distinct), np.int64)
    np.add.at(sums, places.reshape(-1), counts)
    return Histogram(bits, distinct, sums, batches)


_EMPTY = Histogram(64, np.empty(0, np.uint64), np.empty(0, np.int64), np.empty((0, 2), np.int64))
