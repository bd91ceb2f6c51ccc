from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groupstream import SpecError
from partitioners.allocation import allocate
from partitioners.dirichlet_fixed_sizes import ByDirichletFixedSizes


@settings(max_examples=50, deadline=None)
@given(
    counts=st.lists(st.integers(1, 60), min_size=1, max_size=8),
    alpha=st.sampled_from([1e-6, 0.01, 1.0, 100.0, 1e9]),
    prior=st.sampled_from(["data", "uniform"]),
    batch_examples=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    seed=st.integers(0, 2**32),
)
def test_sizes_are_exact_and_no_example_is_lost(
    passes: Any, counts: list[int], alpha: float, prior: Any, batch_examples: list[int], seed: int
) -> None:
    draws = np.random.default_rng(seed)
    labels = draws.permutation(np.repeat(np.arange(len(counts)), counts))
    sizes = np.diff(np.unique(np.append(draws.integers(0, len(labels), 6), [0, len(labels)]))).tolist()
    partitioner = ByDirichletFixedSizes(sizes=sizes, alpha=alpha, prior=prior, seed=seed)
    batches = passes.cut({"label": labels}, batch_examples, num_pieces=3)
    groups = passes.groups(partitioner, batches, random.Random(seed))
    assert groups == passes.groups(partitioner, batches)
    found = Counter(groups)
    assert None not in found
    assert [found[group] for group in sorted(found)] == sizes


@settings(max_examples=100, deadline=None)
@given(
    totals=st.lists(st.integers(1, 1000), min_size=1, max_size=30),
    alpha=st.sampled_from([1e-6, 0.1, 10.0]),
    seed=st.integers(0, 2**32),
)
def test_allocation_has_the_sums_that_are_asked_for(totals: list[int], alpha: float, seed: int) -> None:
    draws = np.random.default_rng(seed)
    sizes = draws.multinomial(sum(totals), np.full(7, 1 / 7))
    taken = allocate(sizes, np.array(totals), alpha * np.array(totals) / sum(totals), draws)
    assert taken.min() >= 0
    assert taken.sum(axis=0).tolist() == totals
    assert taken.sum(axis=1).tolist() == sizes.tolist()


def test_mixtures_have_the_moments_of_the_dirichlet_distribution() -> None:
    """Share of a label over many groups: mean p, variance p (1 - p) (1 / (alpha + 1) + a multinomial's part)."""
    prior, alpha, size, num_groups = np.array([0.5, 0.3, 0.2]), 3.0, 50, 20_000
    taken = allocate(np.full(num_groups, size), np.full(3, 10**9), alpha * prior, np.random.default_rng(0))
    shares = taken / size
    variance = prior * (1 - prior) * (1 / (alpha + 1) + alpha / (alpha + 1) / size)
    assert np.abs(shares.mean(axis=0) - prior).max() < 4 * np.sqrt(variance.max() / num_groups)
    assert np.abs(shares.var(axis=0) / variance - 1).max() < 0.05


def test_alpha_sets_how_many_labels_a_group_has(passes: Any) -> None:
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(10), 1_000))
    batches = passes.cut({"label": labels})
    means = []
    for alpha in (1e-6, 0.1, 1, 10, 1e9):
        groups = passes.groups(ByDirichletFixedSizes(num_groups=50, alpha=alpha), batches)
        means.append(len(set(zip(groups, labels.tolist(), strict=True))) / 50)
    assert means == sorted(means)
    assert means[0] < 1.3 and means[-1] > 9.8  # the last groups get what is left


def test_tiny_alpha_gives_one_label_until_it_is_used_up() -> None:
    taken = allocate(np.full(10, 100), np.full(4, 250), np.full(4, 1e-7), np.random.default_rng(0))
    assert sorted((taken > 0).sum(axis=1).tolist())[:6] == [1] * 6
    assert taken.sum() == 1000


def test_prior_is_of_the_data_or_uniform(passes: Any) -> None:
    """Groups of one example each take the labels at the rates of the prior, while these last."""
    labels = np.random.default_rng(0).permutation(np.repeat([0, 1], [9_000, 1_000]))
    batches = passes.cut({"label": labels})
    for prior, share in (("data", 0.1), ("uniform", 0.5)):
        partitioner = ByDirichletFixedSizes(sizes=[1] * 1000, alpha=1, prior=prior, missing="drop")
        groups = passes.groups(partitioner, batches)
        rare = np.mean([label for group, label in zip(groups, labels, strict=True) if group is not None])
        assert abs(rare - share) < 4 * np.sqrt(share * (1 - share) / 1000)


def test_null_labels_and_the_rest_are_in_no_group(passes: Any) -> None:
    batches = passes.cut({"label": ["a", None, "b", "b", ""]}, 2)
    groups = passes.groups(ByDirichletFixedSizes(sizes=[1, 1], alpha=1, missing="drop"), batches)
    assert groups[1] is None and groups[4] is None
    assert sorted(Counter(groups).values()) == [1, 1, 3]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_groups": 5}, "5 groups cannot be made of 4 examples"),
        ({"sizes": [5]}, "the sizes sum to 5, and there are 4 examples"),
        ({"sizes": [3]}, "1 examples remain that fill no group"),
    ],
)
def test_sizes_that_cannot_be_are_refused(passes: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        passes.rule(ByDirichletFixedSizes(alpha=1, **options), passes.cut({"label": ["a", "a", "b", "b"]}))


def test_too_many_groups_and_labels_are_refused(passes: Any) -> None:
    batches = passes.cut({"label": np.arange(10_000)})
    with pytest.raises(
        SpecError, match="10,000 groups of 10,000 labels are more than 50,000,000 numbers; ask for fewer"
    ):
        passes.rule(ByDirichletFixedSizes(num_groups=10_000, alpha=1), batches)
