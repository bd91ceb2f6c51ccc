from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groupstream import ExampleError, SpecError
from partitioners.blend import blend_quantiles
from partitioners.continuous import ByContinuous


def _numbers(groups: list[bytes | None]) -> np.ndarray:
    return np.array([-1 if group is None else int(group) for group in groups])


@settings(max_examples=50, deadline=None)
@given(
    values=st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=4, max_size=300),
    batch_examples=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    num_groups=st.integers(1, 4),
    seed=st.integers(0, 2**32),
)
def test_strictness_1_sorts(
    passes: Any, values: list[float], batch_examples: list[int], num_groups: int, seed: int
) -> None:
    partitioner = ByContinuous(feature="x", num_groups=num_groups, strictness=1, seed=seed)
    batches = passes.cut({"x": pa.array(values, pa.float64())}, batch_examples, num_pieces=2)
    groups = passes.groups(partitioner, batches, random.Random(seed))
    assert groups == passes.groups(partitioner, batches)
    numbers = _numbers(groups)
    for group in range(num_groups - 1):
        low, high = np.array(values)[numbers <= group], np.array(values)[numbers > group]
        assert not len(low) or not len(high) or low.max() <= high.min()
    if len(set(values)) == len(values):
        sizes = np.bincount(numbers, minlength=num_groups)
        assert sizes.max() - sizes.min() <= 1


def test_strictness_1_is_off_by_a_bin_at_most_where_values_are_many(passes: Any) -> None:
    values = np.random.default_rng(0).lognormal(sigma=2, size=600_000)
    partitioner = ByContinuous(feature="x", num_groups=1_000, strictness=1)
    batches = passes.cut({"x": values}, 50_000)
    largest_bin = passes.count(partitioner, batches).counts.max()
    numbers = _numbers(passes.groups(partitioner, batches))
    assert np.abs(np.bincount(numbers) - 600).max() <= 2 * largest_bin < 60
    order = np.argsort(values)
    assert (np.diff(numbers[order]) >= 0).all()


def test_equal_numbers_fall_to_either_side_of_a_border_at_random(passes: Any) -> None:
    values = np.repeat([0, 1], 5_000)
    numbers = _numbers(passes.groups(ByContinuous(feature="x", num_groups=4, strictness=1), passes.cut({"x": values})))
    assert set(numbers[:5_000]) == {0, 1} and set(numbers[5_000:]) == {2, 3}
    assert np.abs(np.bincount(numbers) - 2_500).max() < 4 * np.sqrt(5_000 / 4)


def test_strictness_0_is_independent_of_the_number(passes: Any) -> None:
    values = np.random.default_rng(0).normal(size=50_000)
    numbers = _numbers(passes.groups(ByContinuous(feature="x", num_groups=10, strictness=0), passes.cut({"x": values})))
    assert abs(np.corrcoef(numbers, values)[0, 1]) < 4 / np.sqrt(50_000)
    assert np.abs(np.bincount(numbers) - 5_000).max() < 4 * np.sqrt(50_000 * 0.1 * 0.9)


@pytest.mark.parametrize("kind", ["normal", "heavy", "few", "large"])
def test_stricter_is_purer_and_sizes_hold(passes: Any, kind: str) -> None:
    """Purity: how much of the variance of the number's ranks lies between groups, not within."""
    draws = np.random.default_rng(1)
    values = {
        "normal": draws.normal(size=30_000),
        "heavy": draws.lognormal(sigma=1.5, size=30_000),
        "few": draws.integers(0, 30, 30_000).astype(float),
        "large": 1.5e9 + draws.integers(0, 10**8, 30_000),
    }[kind]
    ranks = np.argsort(np.argsort(values))
    purities = []
    for strictness in (0, 0.2, 0.5, 0.8, 0.97, 1):
        partitioner = ByContinuous(feature="x", num_groups=20, strictness=strictness)
        numbers = _numbers(passes.groups(partitioner, passes.cut({"x": values})))
        sizes = np.bincount(numbers, minlength=20)
        assert np.abs(sizes - 1_500).max() < 4 * np.sqrt(1_500)
        means = np.bincount(numbers, ranks) / sizes
        purities.append(np.average((means - ranks.mean()) ** 2, weights=sizes) / ranks.var())
    assert purities == sorted(purities)
    assert purities[0] < 0.01 and purities[-1] > 0.98


def test_quantiles_of_a_blend_are_those_of_many_draws() -> None:
    draws = np.random.default_rng(2)
    values = np.sort(draws.exponential(size=1_000))
    values = (values - values.mean()) / values.std()
    blend = 0.7 * draws.choice(values, 400_000) + 0.3 * draws.normal(size=400_000)
    shares = np.linspace(0.02, 0.98, 25)
    found = blend_quantiles(values, np.ones(1_000, np.int64), 0.7, shares)
    below = np.searchsorted(np.sort(blend), found) / 400_000
    assert np.abs(below - shares).max() < 4 * np.sqrt(0.25 / 400_000)


@pytest.mark.parametrize("strictness", [0, 0.5, 1])
def test_null_has_no_group_and_no_place(passes: Any, strictness: float) -> None:
    values = pa.array([None, 5, 3, None, 4, 1], pa.int32())
    partitioner = ByContinuous(feature="x", num_groups=2, strictness=strictness)
    groups = passes.groups(partitioner, passes.cut({"x": values}, 2))
    assert [group is None for group in groups] == [True, False, False, True, False, False]
    if strictness == 1:
        assert groups == [None, b"1", b"0", None, b"1", b"0"]


@pytest.mark.parametrize("strictness", [0, 0.5, 1])
def test_draws_follow_the_key_where_there_is_one(passes: Any, strictness: float) -> None:
    order = np.random.default_rng(3).permutation(2_000)
    partitioner = ByContinuous(feature="x", num_groups=5, strictness=strictness, example_key="name")
    assert partitioner.reads == {"x", "name"}
    columns = {"x": np.arange(2_000) // 100, "name": np.arange(2_000)}
    groups = passes.groups(partitioner, passes.cut(columns, 64))
    moved = {name: column[order] for name, column in columns.items()}
    assert passes.groups(partitioner, passes.cut(moved, 100, num_pieces=3)) == [groups[i] for i in order]
    nameless = passes.cut({"x": pa.array([1, 2, 3]), "name": pa.array(["a", None, "b"])})
    assert [group is None for group in passes.groups(partitioner.model_copy(update={"num_groups": 1}), nameless)] == [
        False,
        True,
        False,
    ]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_without_a_place_are_refused(passes: Any, bad: float) -> None:
    batches = passes.cut({"x": [1.0, 2.0, 3.0, bad]}, 2, num_pieces=2)
    with pytest.raises(
        ExampleError, match=rf"feature 'x' is {bad} in row 2 of piece 1, which has no place in an order"
    ):
        passes.rule(ByContinuous(feature="x", num_groups=1, strictness=0.5), batches)


def test_what_cannot_be_ordered_or_divided_is_refused(passes: Any) -> None:
    def rule(values: list[Any], **options: Any) -> Any:
        return passes.rule(
            ByContinuous(feature="x", **{"num_groups": 2, "strictness": 0.5, **options}), passes.cut({"x": values})
        )

    with pytest.raises(SpecError, match="feature 'x' is string, which is no number"):
        rule(["a"])
    with pytest.raises(SpecError, match="feature 'x' is 3 in all examples, which cannot be told apart"):
        rule([3, 3])
    assert rule([3, 3], strictness=0) is not None
    with pytest.raises(SpecError, match="3 groups cannot be made of 2 examples"):
        rule([1, 2], num_groups=3)


@pytest.mark.parametrize("values", [[1e308, -1e308, 5e307], [5e-324, 0.0, 1e-320], [1e-300, 1e300, -1e300]])
def test_largest_and_smallest_numbers_are_ordered(passes: Any, values: list[float]) -> None:
    for strictness in (0.9999999, 1):
        partitioner = ByContinuous(feature="x", num_groups=3, strictness=strictness)
        assert Counter(passes.groups(partitioner, passes.cut({"x": values}))).total() == 3
