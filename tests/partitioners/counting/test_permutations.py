from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partitioners.permutations import permute_each


def _whole(lengths: list[int], seed: int = 0) -> list[np.ndarray]:
    """The permutation of each range."""
    ranges = np.repeat(np.arange(len(lengths)), lengths)
    positions = np.concatenate([np.empty(0, np.int64), *(np.arange(length) for length in lengths)])
    keys = np.random.default_rng(seed).integers(0, 2**64, len(lengths), dtype=np.uint64)
    moved = permute_each(positions, ranges, np.array(lengths, np.int64), keys)
    return np.split(moved, np.cumsum(lengths)[:-1]) if lengths else []


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 300), max_size=9), st.integers(0, 2**32))
def test_every_range_is_permuted(lengths: list[int], seed: int) -> None:
    for length, moved in zip(lengths, _whole(lengths, seed), strict=True):
        assert sorted(moved.tolist()) == list(range(length))


def test_positions_can_be_asked_for_one_by_one() -> None:
    lengths, keys = np.array([3, 64, 65, 1000]), np.arange(4, dtype=np.uint64)
    ranges = np.repeat(np.arange(4), lengths)
    positions = np.concatenate([np.arange(length) for length in lengths])
    whole = permute_each(positions, ranges, lengths, keys)
    some = np.random.default_rng(0).permutation(len(positions))[:100]
    assert permute_each(positions[some], ranges[some], lengths, keys).tolist() == whole[some].tolist()


@pytest.mark.parametrize("length", [10, 64, 65, 100, 129])
def test_every_position_goes_everywhere_as_often(length: int) -> None:
    """Chi-square over 2,000 permutations, within 5 standard deviations."""
    table = np.zeros((length, length))
    for moved in _whole([length] * 2_000):
        table[np.arange(length), moved] += 1
    expected = 2_000 / length
    freedom = (length - 1) ** 2
    assert abs(((table - expected) ** 2 / expected).sum() - freedom) < 5 * np.sqrt(2 * freedom)


@pytest.mark.parametrize("length", [2, 3, 4, 5])
def test_permutations_of_a_small_range_occur_equally_often(length: int) -> None:
    """Chi-square of 200 of each, within 5 standard deviations; a Feistel network of 5 numbers is off by over 50."""
    num_kinds = math.factorial(length)
    found = Counter(tuple(moved.tolist()) for moved in _whole([length] * (200 * num_kinds)))
    assert len(found) == num_kinds
    squares = sum((count - 200) ** 2 / 200 for count in found.values())
    assert abs(squares - (num_kinds - 1)) < 5 * np.sqrt(2 * (num_kinds - 1))


def test_large_ranges_are_permuted() -> None:
    length = 10**12 + 39
    positions = np.arange(10_000) * 10**8
    moved = permute_each(positions, np.zeros(10_000, np.int64), np.array([length]), np.array([1], np.uint64))
    assert len(np.unique(moved)) == 10_000 and moved.min() >= 0 and moved.max() < length
    assert abs(moved.mean() / length - 0.5) < 4 / np.sqrt(12 * 10_000)
