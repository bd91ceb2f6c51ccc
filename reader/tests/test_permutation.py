from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groupstream.permutation import permute, uniforms

SEEDS = st.integers(-(1 << 63), (1 << 63) - 1)


@given(st.integers(1, 3000), SEEDS, st.text(max_size=5))
def test_every_number_comes_once(length: int, seed: int, name: str) -> None:
    assert sorted(permute(np.arange(length), length, seed, name).tolist()) == list(range(length))


@given(st.integers(1, 1 << 40), SEEDS, st.data())
def test_a_position_needs_no_other(length: int, seed: int, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, length - 1))
    others = data.draw(st.lists(st.integers(0, length - 1), max_size=5))
    together = permute(np.array([position, *others]), length, seed, "x")
    assert permute(np.array([position]), length, seed, "x")[0] == together[0]
    assert together.min() >= 0
    assert together.max() < length


@pytest.mark.parametrize("length", [3, 4, 5])
def test_all_orders_are_equally_likely(length: int) -> None:
    draws = 12_000
    found = Counter(tuple(permute(np.arange(length), length, seed, "order").tolist()) for seed in range(draws))
    orders = list(itertools.permutations(range(length)))
    expected = draws / len(orders)
    chi_square = sum((found[order] - expected) ** 2 / expected for order in orders)
    degrees = len(orders) - 1
    assert chi_square < degrees + 4 * np.sqrt(2 * degrees)


def test_neighbours_do_not_stay_together() -> None:
    moved = permute(np.arange(100_000), 100_000, 1, "epoch 0")
    assert np.abs(np.diff(moved)).mean() == pytest.approx(100_000 / 3, rel=0.02)
    assert abs(np.corrcoef(np.arange(100_000), moved)[0, 1]) < 4 / np.sqrt(100_000)


def test_names_and_seeds_give_other_orders() -> None:
    orders = [permute(np.arange(1000), 1000, seed, name) for seed in (0, 1, -1) for name in ("epoch 0", "epoch 1")]
    for a, b in itertools.combinations(orders, 2):
        assert (a == b).sum() < 10


def test_the_draws_never_change() -> None:
    """States that people saved rest on it."""
    assert permute(np.arange(8), 8, 7, "epoch 0").tolist() == [1, 5, 3, 6, 4, 0, 2, 7]
    assert permute(np.arange(3), 100, 7, "epoch 0").tolist() == [41, 39, 61]
    assert permute(np.array([0, 10**9]), 1 << 40, 7, "epoch 0").tolist() == [435337296514, 567368121956]
    assert uniforms(0, 3, 7, "round 0").tolist() == [0.5045636374002003, 0.9175615371346242, 0.8047747793608209]


def test_a_network_reaches_all_places_evenly() -> None:
    """Just above the size where the sort ends: where each of three numbers goes, and where two go together."""
    draws, length = 8_000, 65
    moved = np.array([permute(np.array([0, 1, 64]), length, seed, "order") for seed in range(draws)])
    for column in moved.T:
        counts = np.bincount(column, minlength=length)
        assert ((counts - draws / length) ** 2 / (draws / length)).sum() < 64 + 4 * np.sqrt(2 * 64)
    steps = np.bincount((moved[:, 1] - moved[:, 0]) % length, minlength=length)[1:]
    assert ((steps - draws / 64) ** 2 / (draws / 64)).sum() < 63 + 4 * np.sqrt(2 * 63)


def test_uniform_numbers_are_uniform_and_need_no_other() -> None:
    numbers = uniforms(0, 100_000, 3, "x")
    np.testing.assert_array_equal(numbers[500:600], uniforms(500, 100, 3, "x"))
    assert numbers.min() >= 0
    assert numbers.max() < 1
    counts = np.bincount((numbers * 100).astype(int), minlength=100)
    assert ((counts - 1000) ** 2 / 1000).sum() < 99 + 4 * np.sqrt(2 * 99)
