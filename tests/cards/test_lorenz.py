"""The Lorenz curve and the Gini coefficient, against their plain definitions."""

from __future__ import annotations

import doctest
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cards.lorenz
from cards.ink import LIGHT, drawing
from cards.lorenz import concentration, draw_lorenz, lorenz_curve, lorenz_figure
from groupstream.group_sizes import summarize

SIZES = st.lists(st.integers(0, 10**6), min_size=1, max_size=400).filter(any)


def curve_by_definition(sizes: list[int], count: int) -> Fraction:
    """Which share of all the `count` smallest groups hold."""
    return Fraction(sum(sorted(sizes)[:count]), sum(sizes))


def gini_by_definition(sizes: list[int]) -> Fraction:
    """Half the mean difference of two groups, over the mean size."""
    n = len(sizes)
    differences = sum(abs(a - b) for a in sizes for b in sizes)
    return Fraction(differences, 2 * n * sum(sizes))


def test_examples_in_docstrings_run() -> None:
    assert doctest.testmod(cards.lorenz).failed == 0


@given(SIZES)
def test_each_point_of_the_curve_is_exact(sizes: list[int]) -> None:
    groups, held = lorenz_curve(np.sort(np.array(sizes)))
    counts = (groups * len(sizes)).round().astype(int).tolist()
    assert counts == sorted(set(counts)) and counts[0] == 0 and counts[-1] == len(sizes)
    for count, share in zip(counts, held.tolist(), strict=True):
        assert share == pytest.approx(float(curve_by_definition(sizes, count)), abs=1e-12)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=60).filter(any))
def test_gini_is_what_its_definition_says(sizes: list[int]) -> None:
    assert summarize(np.sort(np.array(sizes))).gini == pytest.approx(float(gini_by_definition(sizes)), abs=1e-12)


@given(st.lists(st.integers(0, 10**4), min_size=1, max_size=90).filter(any))
def test_gini_is_twice_the_area_between_curve_and_diagonal(sizes: list[int]) -> None:
    """Up to a hundred groups, the curve has a point for each."""
    ascending = np.sort(np.array(sizes))
    groups, held = lorenz_curve(ascending)
    assert len(groups) == len(sizes) + 1
    assert summarize(ascending).gini == pytest.approx(1 - 2 * np.trapezoid(held, groups), abs=1e-9)


def test_curve_of_many_groups_follows_a_long_tail() -> None:
    ascending = np.sort(np.ceil(np.random.default_rng(0).pareto(1.1, 300_000)).astype(np.int64) + 1)
    groups, held = lorenz_curve(ascending)
    assert 150 < len(groups) <= 201
    assert np.diff(held).max() < 0.2, "also between the last points, where a few groups hold much"
    assert 1 - 2 * np.trapezoid(held, groups) == pytest.approx(summarize(ascending).gini, abs=2e-3)


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ([1] * 99 + [101], "The largest 1 % of the groups (1 group) holds 50.5 % of the examples."),
        ([1] * 900 + [9] * 100, "The largest 1 % of the groups (10 groups) hold 5.0 % of the examples."),
        ([1] * 18 + [16, 16], "The largest 10 % of the groups (2 groups) hold 64.0 % of the examples."),
        ([0, 0, 7], "The largest group holds 100.0 % of the examples."),
    ],
)
def test_what_the_largest_groups_hold_is_said(sizes: list[int], words: str) -> None:
    assert concentration(np.sort(np.array(sizes))) == words


def test_picture_is_the_same_bytes_and_says_what_is_seen() -> None:
    ascending = np.arange(1, 2000)
    drawn = draw_lorenz(ascending, 1 / 3, 4.4, "x")
    assert drawn == draw_lorenz(ascending, 1 / 3, 4.4, "x")
    assert 'aria-label="Lorenz curve of examples per group; the Gini coefficient is 0.33. The largest 1 %' in drawn
    assert len(drawn) < 20_000


def test_picture_goes_from_corner_to_corner() -> None:
    with drawing("x"):
        figure = lorenz_figure(np.array([1, 1, 8]), 0.47, 4.4, LIGHT)
    curve = figure.axes[0].lines[1].get_xydata()
    assert curve[0].tolist() == [0, 0] and curve[-1].tolist() == [1, 1]
    assert curve[2].tolist() == pytest.approx([2 / 3, 0.2])
