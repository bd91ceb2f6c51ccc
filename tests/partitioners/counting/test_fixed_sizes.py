from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from groupstream import SpecError
from partitioners.fixed_sizes import ByFixedSizes


@settings(max_examples=50, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=20),
    rest=st.integers(0, 10),
    batch_examples=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    num_pieces=st.integers(1, 4),
    seed=st.integers(-(2**63), 2**63 - 1),
)
def test_sizes_are_exact(
    passes: Any, sizes: list[int], rest: int, batch_examples: list[int], num_pieces: int, seed: int
) -> None:
    partitioner = ByFixedSizes(sizes=sizes, missing="drop", seed=seed)
    batches = passes.cut({"x": np.arange(sum(sizes) + rest)}, batch_examples, num_pieces)
    groups = passes.groups(partitioner, batches, random.Random(seed))
    assert groups == passes.groups(partitioner, batches)
    found = Counter(groups)
    assert found.pop(None, 0) == rest
    assert [found[group] for group in sorted(found)] == sizes


def test_sizes_said_in_three_ways(passes: Any) -> None:
    batches = passes.cut({"x": np.arange(1003)}, 100)
    assert Counter(passes.groups(ByFixedSizes(num_groups=4), batches)) == {b"0": 251, b"1": 251, b"2": 251, b"3": 250}
    some = Counter(passes.groups(ByFixedSizes(group_examples=100, missing="group"), batches))
    assert some == {None: 3, **{b"%d" % i: 100 for i in range(10)}}
    assert Counter(passes.groups(ByFixedSizes(sizes=[1000, 3]), batches)) == {b"0": 1000, b"1": 3}


def test_examples_are_drawn_at_random(passes: Any) -> None:
    """The mean position of 10,000 of 100,000 examples is within 4 sigma of the middle, for each group."""
    groups = np.array(passes.groups(ByFixedSizes(num_groups=10), passes.cut({"x": np.arange(100_000)})))
    means = [np.flatnonzero(groups == b"%d" % i).mean() for i in range(10)]
    assert np.abs(np.array(means) - 49_999.5).max() < 4 * 100_000 / np.sqrt(12 * 10_000)
    repeats = (groups[1:] == groups[:-1]).mean()
    assert abs(repeats - 0.1) < 4 * np.sqrt(0.09 / 100_000)


def test_another_seed_draws_others(passes: Any) -> None:
    batches = passes.cut({"x": np.arange(1000)})
    one, other = (passes.groups(ByFixedSizes(num_groups=2, seed=seed), batches) for seed in (0, 1))
    assert 400 < sum(a == b for a, b in zip(one, other, strict=True)) < 600


def test_examples_that_a_check_dropped_are_not_missed(passes: Any) -> None:
    batches = [
        (batch.filter(kept), ids._replace(rows=ids.rows[kept]))
        for batch, ids in passes.cut({"x": np.arange(100)}, 10)
        for kept in [ids.rows % 3 > 0]
    ]
    assert Counter(passes.groups(ByFixedSizes(num_groups=6), batches)) == {b"%d" % i: 11 for i in range(6)}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_groups": 11}, "11 groups cannot be made of 10 examples; a group has at least 1 example"),
        ({"group_examples": 11}, "groups of 11 examples cannot be made of 10 examples"),
        ({"sizes": [5, 6]}, "the sizes sum to 11, and there are 10 examples; give smaller sizes"),
        ({"sizes": [5, 4]}, "1 examples remain that fill no group; write missing: drop to leave them out"),
        ({"group_examples": 3}, "1 examples remain that fill no group"),
    ],
)
def test_sizes_that_cannot_be_are_refused(passes: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        passes.rule(ByFixedSizes(**options), passes.cut({"x": np.arange(10)}, 4))


def test_no_examples_make_no_groups() -> None:
    partitioner = ByFixedSizes(num_groups=1)
    with pytest.raises(SpecError, match="1 groups cannot be made of 0 examples"):
        partitioner.fit(partitioner.merge([]))


@pytest.mark.parametrize("options", [{}, {"num_groups": 2, "sizes": [1]}, {"sizes": []}, {"sizes": [0]}])
def test_sizes_are_said_once_and_are_above_0(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ByFixedSizes(**options)
