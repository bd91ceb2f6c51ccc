"""Many permutations at once, each of a range of its own: for batches that hold examples of many strata.

Like `groupstream.permutation.permute`, which is for one range: an alternating Feistel network over the smallest power
of two that holds the range, with "cycle walking" (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002).
"""

from __future__ import annotations

import numpy as np

from partitioners.draws import mixed

_ROUNDS = 8
_SMALL = 64  # a small range is sorted by random words: a small network reaches permutations less evenly
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def permute_each(positions: np.ndarray, ranges: np.ndarray, lengths: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Where each position goes in the permutation of its range. About 0.4 us each.

    >>> permute_each(np.array([0, 1, 0, 2, 1]), np.array([0, 0, 1, 1, 1]), np.array([2, 3]), np.uint64([5, 6])).tolist()
    [0, 1, 2, 0, 1]

    Args:
        positions: int64[num_positions].
        ranges: int64[num_positions], which range each position is of.
        lengths: int64[num_ranges], below 2 ** 53; positions are in [0, length of their range).
        keys: uint64[num_ranges]: what permutation; other keys give unrelated ones.

    Returns:
        int64[num_positions].
    """
    moved = np.empty(len(positions), np.int64)
    is_small = (lengths <= _SMALL)[ranges]
    moved[is_small] = _sorted_by_words(
        positions[is_small], ranges[is_small], np.where(lengths <= _SMALL, lengths, 0), keys
    )
    rest = np.flatnonzero(~is_small)
    moved[rest] = _walked(positions[rest], ranges[rest], lengths, keys)
    return moved


def _sorted_by_words(positions: np.ndarray, ranges: np.ndarray, lengths: np.ndarray, keys: np.ndarray) -> np.ndarray:
    starts = np.cumsum(lengths) - lengths
    owners = np.repeat(np.arange(len(lengths)), lengths)
    numbers = np.arange(len(owners)) - starts[owners]
    order = np.lexsort((_words(keys[owners], numbers), owners))
    places = np.empty(len(order), np.int64)
    places[order] = numbers
    return places[starts[ranges] + positions]


def _walked(positions: np.ndarray, ranges: np.ndarray, lengths: np.ndarray, keys: np.ndarray) -> np.ndarray:
    bits = np.frexp((lengths - 1).astype(np.float64))[1].astype(np.uint64)
    rounds = [_words(keys, np.uint64(turn)) for turn in range(_ROUNDS)]
    moved, rest = positions.astype(np.uint64), np.arange(len(positions))
    while len(rest):
        moved[rest] = _feistel(moved[rest], bits[ranges[rest]], [words[ranges[rest]] for words in rounds])
        rest = rest[moved[rest] >= lengths[ranges[rest]].astype(np.uint64)]
    return moved.astype(np.int64)


def _feistel(numbers: np.ndarray, bits: np.ndarray, rounds: list[np.ndarray]) -> np.ndarray:
    low_bits = bits >> np.uint64(1)
    low_mask = (np.uint64(1) << low_bits) - np.uint64(1)
    high_mask = (np.uint64(1) << (bits - low_bits)) - np.uint64(1)
    high, low = numbers >> low_bits, numbers & low_mask
    for first, second in zip(rounds[::2], rounds[1::2], strict=True):
        high = high ^ (mixed(low ^ first) & high_mask)
        low = low ^ (mixed(high ^ second) & low_mask)
    return (high << low_bits) | low


def _words(keys: np.ndarray, numbers: np.ndarray | np.uint64) -> np.ndarray:
    """uint64: an unrelated word for each key and number."""
    with np.errstate(over="ignore"):
        return mixed(keys + _GOLDEN * (np.asarray(numbers, np.uint64) + np.uint64(1)))
