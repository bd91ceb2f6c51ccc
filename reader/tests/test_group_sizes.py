"""The figures of group sizes, against what they are defined as."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from groupstream import group_sizes
from groupstream.group_sizes import PERCENTILES, histogram, summarize

SIZES = {
    "one": [5],
    "all equal": [3] * 100,
    "zeros": [0, 0, 0],
    "zeros and more": [0, 0, 1, 5],
    "long tail": np.random.default_rng(0).zipf(1.6, 5_000).clip(max=10**12).tolist(),
    "huge": [1, 2**62],
}


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES.keys())
def test_a_summary_is_what_it_says(sizes: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_sizes, "_BLOCK_GROUPS", 700)  # so that blocks meet
    ascending = np.sort(np.array(sizes, np.int64))
    summary = summarize(ascending)
    assert summary.total == sum(sizes)
    assert summary.mean == pytest.approx(sum(sizes) / len(sizes))
    assert summary.max == max(sizes)
    assert summary.share_of_largest == (max(sizes) / sum(sizes) if sum(sizes) else 0)
    assert summary.share_of_singletons == sizes.count(1) / len(sizes)
    expected = {p: int(np.quantile(ascending, p / 100, method="lower")) for p in PERCENTILES}
    assert summary.percentiles == expected


@pytest.mark.parametrize("name", ["all equal", "zeros and more", "huge"])
def test_gini_is_half_the_mean_difference_over_the_mean(name: str) -> None:
    sizes = np.array(SIZES[name], np.int64)
    differences = np.abs(sizes[:, None].astype(float) - sizes[None, :]).mean()
    assert summarize(np.sort(sizes)).gini == pytest.approx(differences / (2 * sizes.mean()))


def test_gini_goes_from_0_to_1() -> None:
    assert summarize(np.full(1_000, 7)).gini == 0
    assert summarize(np.array([0] * 999 + [7])).gini == pytest.approx(0.999)


def test_no_groups_have_no_size() -> None:
    nothing = np.empty(0, np.int64)
    assert summarize(nothing).percentiles == dict.fromkeys(PERCENTILES, 0)
    assert (summarize(nothing).mean, summarize(nothing).gini, histogram(nothing)) == (0, 0, [])


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES.keys())
def test_a_histogram_holds_every_group_once(sizes: list[int]) -> None:
    ascending = np.sort(np.array(sizes, np.int64))
    bins = histogram(ascending)
    assert sum(b.num_groups for b in bins) == len(sizes)
    assert sum(b.total for b in bins) == sum(sizes)
    assert len(bins) <= 25
    for b in bins:
        assert b.num_groups == sum(b.least <= size <= b.most for size in sizes)
    for b, following in itertools.pairwise(bins):
        assert following.least == b.most + 1
    assert bins[0].least <= min(sizes) <= bins[0].most
    assert bins[-1].least <= max(sizes) <= bins[-1].most
