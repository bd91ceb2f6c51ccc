"""By label: shares that are drawn, shares that are given, and a few labels in each group."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from partitioners import ByIid, ByLabelDirichlet, ByPathological, BySizeShape, ByTwoLevels, ExampleIds, RulePartitioner
from partitioners.dirichlet_bounds import dirichlet_bounds
from partitioners.shares import bounds_of, choose, choose_by_code, dirichlet


def _groups(partitioner: RulePartitioner, labels: Any) -> list[bytes | None]:
    batch = pa.record_batch({"label": labels})
    return partitioner.assign(batch, ExampleIds(0, np.arange(len(batch)))).to_pylist()


def _counts(partitioner: RulePartitioner, labels: np.ndarray, num_groups: int) -> np.ndarray:
    """int64[num_labels, num_groups]: how many examples of each label each group gets."""
    groups = np.array([-1 if group is None else int(group) for group in _groups(partitioner, labels)])
    counts = np.zeros((labels.max() + 1, num_groups), int)
    np.add.at(counts, (labels[groups >= 0], groups[groups >= 0]), 1)
    return counts


@pytest.mark.parametrize("alpha", [5e-324, 1e-300, 1e-9, 0.01, 0.5, 1.0, 7.0, 1e9])
@pytest.mark.parametrize("num_groups", [1, 2, 1_000, 100_000])
def test_shares_are_shares_for_any_alpha(alpha: float, num_groups: int) -> None:
    shares = dirichlet(alpha, num_groups, np.random.default_rng(0))
    assert (shares >= 0).all()
    assert shares.sum() == pytest.approx(1)
    assert bounds_of(shares)[-1] == 1


@pytest.mark.parametrize("alpha", [0.05, 0.5, 1.0, 5.0])
def test_shares_have_the_moments_of_a_dirichlet_distribution(alpha: float) -> None:
    num_groups, num_draws = 4, 20_000
    generator = np.random.default_rng(1)
    shares = np.array([dirichlet(alpha, num_groups, generator) for _ in range(num_draws)])
    variance = (1 / num_groups) * (1 - 1 / num_groups) / (num_groups * alpha + 1)
    assert np.abs(shares.mean(axis=0) - 1 / num_groups).max() <= 4 * np.sqrt(variance / num_draws)
    squares = (shares - 1 / num_groups) ** 2
    assert np.abs(squares.mean(axis=0) - variance).max() <= 4 * squares.std() / np.sqrt(num_draws)


def test_with_a_tiny_alpha_each_label_is_in_one_group_and_any_group_may_be_it() -> None:
    owners = [int(np.argmax(dirichlet(1e-6, 5, np.random.default_rng(seed)))) for seed in range(1_000)]
    assert np.abs(np.bincount(owners, minlength=5) - 200).max() <= 4 * np.sqrt(1_000 * 0.2 * 0.8)
    counts = _counts(ByLabelDirichlet(num_groups=100_000, alpha=1e-9), np.repeat(np.arange(10), 50), 100_000)
    assert (counts.max(axis=1) == 50).all()


@pytest.mark.parametrize("alpha", [0.1, 1.0])
def test_each_label_follows_shares_of_its_own(alpha: float) -> None:
    labels = np.repeat(np.arange(5), 4_000)
    counts = _counts(ByLabelDirichlet(num_groups=6, alpha=alpha, seed=3), labels, 6)
    shares = np.array([np.diff(dirichlet_bounds(alpha, 6, 3)(b"%d" % label), prepend=0) for label in range(5)])
    assert (np.abs(counts - 4_000 * shares) <= 4 * np.sqrt(4_000 * shares * (1 - shares)) + 4).all()
    assert min(np.abs(a - b).max() for a, b in itertools.combinations(shares, 2)) > 0.01


def test_shares_of_a_label_do_not_depend_on_what_other_labels_there_are() -> None:
    partitioner = ByLabelDirichlet(num_groups=50, alpha=0.5)
    among = _groups(partitioner, ["a", "b", "a", None, "c"])
    assert _groups(partitioner, ["a", "x", "a", "y", "z"])[::2][:2] == among[::2][:2]
    assert among[3] is None


def test_shares_of_a_label_are_the_same_for_ever() -> None:
    """Published versions rest on them: a change of NumPy's generators must not pass unseen."""
    found = np.diff(dirichlet_bounds(0.5, 4, 7)(b"cat"), prepend=0)
    assert found == pytest.approx([0.16076343005671279, 0.2171880377275246, 0.5329105562333939, 0.08913797598236872])


def test_many_labels_with_many_groups_keep_little() -> None:
    bounds = dirichlet_bounds(0.3, 1_000_000, 0)
    for label in range(12):
        bounds(b"%d" % label)
    assert bounds.cache_info().currsize == 8  # type: ignore[attr-defined]


def test_group_without_a_share_gets_nothing() -> None:
    bounds = bounds_of(np.array([0.1] * 3 + [0.0] + [0.1] * 7 + [0.0]))
    assert choose(bounds, np.array([0.0, np.nextafter(1.0, 0), np.nan])).tolist() == [0, 10, 12]
    assert choose(bounds_of(np.array([0.0, 0.5, 0.5])), np.zeros(1)).tolist() == [1]
    assert 3 not in choose(bounds, np.random.default_rng(0).random(10_000))


def test_bounds_are_asked_for_once_for_each_code() -> None:
    asked = []

    def bounds(code: int) -> np.ndarray:
        asked.append(code)
        return bounds_of(np.eye(3)[code])

    codes = np.array([2, 0, -1, 2, 0])
    assert choose_by_code(codes, np.full(5, 0.5), bounds).tolist() == [2, 0, -1, 2, 0]
    assert asked == [0, 2]


def test_groups_of_two_levels_have_one_value_each() -> None:
    groups = _groups(ByTwoLevels(num_groups=3, alpha=5.0), ["a/b", "a", None, "", *["a/b"] * 50])
    assert groups[2:4] == [None, None]
    assert groups[1] in {b"a/0", b"a/1", b"a/2"}
    assert {*groups[4:], groups[0]} == {b"a/b/0", b"a/b/1", b"a/b/2"}


@pytest.mark.parametrize("num_groups", [3, 4])
def test_linear_sizes_grow_by_the_same(num_groups: int) -> None:
    shares = BySizeShape(num_groups=num_groups, shape="linear").shares()
    assert shares == pytest.approx(np.arange(1, num_groups + 1) / sum(range(num_groups + 1)))


def test_exponential_sizes_of_many_groups_are_numbers() -> None:
    shares = BySizeShape(num_groups=5_000, shape="exponential").shares()
    assert shares.sum() == pytest.approx(1)
    assert shares[-1] / shares[-2] == pytest.approx(np.e)


def test_lognormal_sizes_spread_as_sigma_says() -> None:
    logs = np.log(BySizeShape(num_groups=20_000, sigma=0.7).shares())
    assert logs.std() == pytest.approx(0.7, abs=4 * 0.7 / np.sqrt(2 * 20_000))
    assert BySizeShape(num_groups=9, sigma=0).shares() == pytest.approx([1 / 9] * 9)
    assert not np.allclose(BySizeShape(num_groups=9, seed=1).shares(), BySizeShape(num_groups=9).shares())


def test_sigma_of_another_shape_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"sigma is of the shape lognormal; this is linear\. Leave it out"):
        BySizeShape(num_groups=2, shape="linear", sigma=1)


def _labels_of_groups(partitioner: ByPathological) -> np.ndarray:
    """bool[num_groups, num_labels]: which labels a group has."""
    owners = partitioner.owners()
    has = np.zeros((partitioner.num_groups, len(partitioner.values())), bool)
    has[owners.groups, np.repeat(np.arange(len(owners.counts)), owners.counts)] = True
    return has


@pytest.mark.parametrize("assignment", ["random", "deterministic", "first_deterministic"])
@pytest.mark.parametrize("labels_per_group", [1, 2, 10])
def test_each_group_has_so_many_labels(assignment: Any, labels_per_group: int) -> None:
    partitioner = ByPathological(
        num_groups=300, num_labels=10, labels_per_group=labels_per_group, assignment=assignment, seed=5
    )
    has = _labels_of_groups(partitioner)
    assert (has.sum(axis=1) == labels_per_group).all()
    mean = 300 * labels_per_group / 10
    spread = np.sqrt(mean * (1 - labels_per_group / 10))
    assert (np.abs(has.sum(axis=0) - mean) <= 4 * spread).all()
    counts = _counts(partitioner, np.arange(60_000) % 10, 300)
    assert np.array_equal((counts > 0).T, has)  # a label's 6,000 examples reach all of its groups


def test_deterministic_labels_go_round() -> None:
    has = _labels_of_groups(ByPathological(num_groups=4, num_labels=3, labels_per_group=2, assignment="deterministic"))
    assert [np.flatnonzero(row).tolist() for row in has] == [[0, 1], [1, 2], [0, 2], [0, 1]]


@pytest.mark.parametrize("assignment", ["random", "first_deterministic"])
def test_another_seed_gives_groups_other_labels(assignment: Any) -> None:
    some, others = (
        _labels_of_groups(ByPathological(num_groups=20, num_labels=10, assignment=assignment, seed=seed))
        for seed in (0, 1)
    )
    assert not np.array_equal(some, others)


def test_first_deterministic_leaves_no_label_out() -> None:
    for seed in range(20):
        has = _labels_of_groups(
            ByPathological(
                num_groups=10, num_labels=10, labels_per_group=2, assignment="first_deterministic", seed=seed
            )
        )
        assert has.diagonal().all()


def test_examples_of_a_label_are_shared_equally_among_its_groups() -> None:
    partitioner = ByPathological(num_groups=20, num_labels=10, labels_per_group=2)
    counts = _counts(partitioner, np.arange(40_000) % 10, 20)
    for label, row in enumerate(_labels_of_groups(partitioner).T):
        if owners := row.sum():
            expected = 4_000 / owners
            assert np.abs(counts[label][row] - expected).max() <= 4 * np.sqrt(expected), label
        assert counts[label][~row].sum() == 0


def test_example_of_a_label_that_no_group_has_or_that_is_not_listed_has_no_group() -> None:
    partitioner = ByPathological(num_groups=1, labels=[7, True, "x"], labels_per_group=2, assignment="deterministic")
    assert partitioner.labels == ["7", "true", "x"]
    assert _groups(partitioner, ["7", "true", "x", "y", None]) == [b"0", b"0", None, None, None]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "give one of num_labels and labels"),
        ({"num_labels": 2, "labels": ["a", "b"]}, "give one of num_labels and labels"),
        ({"num_labels": 1}, "labels_per_group is 2, and there are 1 labels"),
        ({"labels": ["a", "b", "a"]}, "'a' stands 2 times; write each once"),
        ({"labels": ["a", ""]}, "at least 1 character"),
        ({"num_labels": 50_000, "num_groups": 10_000}, "are 500,000,000 pairs; 100,000,000 at most"),
    ],
)
def test_labels_that_cannot_be_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ByPathological(**{"num_groups": 3, **fields})


def test_examples_without_a_name_have_no_draw() -> None:
    batch = pa.record_batch({"label": [1, 1, 1], "id": ["a", None, ""]})
    for partitioner in (
        ByIid(num_groups=4, example_key="id"),
        BySizeShape(num_groups=4, example_key="id"),
        ByLabelDirichlet(num_groups=4, alpha=1, example_key="id"),
        ByTwoLevels(num_groups=4, alpha=1, example_key="id"),
        ByPathological(num_groups=4, num_labels=2, example_key="id"),
    ):
        first, *others = partitioner.assign(batch, ExampleIds(0, np.arange(3))).to_pylist()
        assert first
        assert others == [None, None]
        assert partitioner.reads >= {"id"}
