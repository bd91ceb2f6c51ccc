from __future__ import annotations

import itertools
import json
import pickle
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import groupstream
from groupstream import Feature, Split, UnknownKeyError, UsageError
from groupstream.cohorts import SAMPLINGS, Cohort
from groupstream.group_rows import GroupRows

SIZES = [1, 1, 2, 3, 5, 8, 20]


@pytest.fixture
def split(make_version: Callable[..., Path]) -> Split:
    ids = [b"g%d" % i for i, size in enumerate(SIZES) for _ in range(size)]
    root = make_version([{"n": n} for n in range(len(ids))], ids, {"n": Feature(dtype="int64")})
    return groupstream.open("made", str(root))["train"]


samplings = pytest.mark.parametrize("sampling", SAMPLINGS)


@samplings
def test_a_round_is_a_function_of_seed_and_number(split: Split, sampling: str) -> None:
    cohorts = split.cohorts(3, seed=1, sampling=sampling)
    in_turn = [cohort.group_ids for cohort in itertools.islice(cohorts, 20)]
    assert [cohorts[i].group_ids for i in reversed(range(20))] == in_turn[::-1]
    assert [pickle.loads(pickle.dumps(cohorts))[i].group_ids for i in range(20)] == in_turn
    assert in_turn != [split.cohorts(3, seed=2, sampling=sampling)[i].group_ids for i in range(20)]
    assert len({tuple(ids) for ids in in_turn}) > 10


@samplings
def test_the_groups_of_a_cohort_are_distinct_and_whole(split: Split, sampling: str) -> None:
    for size in range(1, len(SIZES) + 1):
        for cohort in itertools.islice(split.cohorts(size, seed=4, sampling=sampling), 30):
            assert len(set(cohort.group_ids)) == len(cohort)
            for group in cohort:
                assert list(group.examples()) == list(split.group(group.id).examples())


def test_uniform_cohorts_draw_all_groups_alike(split: Split) -> None:
    rounds = 7000
    cohorts = split.cohorts(2, seed=0)
    found = Counter(i for r in range(rounds) for i in cohorts[r].group_ids)
    chance = 2 / 7
    for count in found.values():
        assert abs(count - rounds * chance) < 4 * np.sqrt(rounds * chance * (1 - chance))


def test_cohorts_by_size_draw_groups_by_their_examples(split: Split) -> None:
    rounds, total = 4000, sum(SIZES)
    cohorts = split.cohorts(2, seed=0, sampling="by_size")
    drawn = [cohorts[r].group_ids for r in range(rounds)]
    first = Counter(ids[0] for ids in drawn)
    pairs = Counter(map(tuple, drawn))
    for i, size in enumerate(SIZES):
        p = size / total
        assert abs(first[b"g%d" % i] - rounds * p) < 4 * np.sqrt(rounds * p * (1 - p)) + 1
        q = 20 / total * size / (total - 20)  # first the largest, then this one among those that are left
        if size != 20:
            assert abs(pairs[b"g6", b"g%d" % i] - rounds * q) < 4 * np.sqrt(rounds * q * (1 - q)) + 1


def test_by_size_all_groups_can_be_drawn_however_skewed(make_version: Callable[..., Path]) -> None:
    sizes = [1] * 30 + [20_000]
    ids = [b"g%d" % i for i, size in enumerate(sizes) for _ in range(size)]
    root = make_version([{"n": 0}] * len(ids), ids, {"n": Feature(dtype="int64")})
    cohort = groupstream.open("made", str(root))["train"].cohorts(31, seed=0, sampling="by_size")[0]
    assert sorted(cohort.group_ids) == sorted(set(ids))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7])
def test_epochs_bring_every_group_once(split: Split, size: int) -> None:
    cohorts = split.cohorts(size, seed=3, sampling="epochs")
    per_epoch = cohorts.rounds_per_epoch
    epochs = [[i for r in range(per_epoch) for i in cohorts[e * per_epoch + r].group_ids] for e in range(3)]
    assert [sorted(epoch) for epoch in epochs] == [sorted(b"g%d" % i for i in range(7))] * 3
    assert epochs[0] != epochs[1] != epochs[2]
    assert [len(cohorts[r]) for r in range(per_epoch - 1)] == [size] * (per_epoch - 1)


@samplings
def test_filters_say_who_takes_part(split: Split, sampling: str) -> None:
    cohorts = split.cohorts(2, seed=0, sampling=sampling, min_examples=2, max_examples=8)
    assert cohorts.num_groups == 4
    assert {i for r in range(40) for i in cohorts[r].group_ids} == {b"g2", b"g3", b"g4", b"g5"}
    chosen = split.cohorts(1, seed=0, sampling=sampling, group_ids=["g1", "g6"])
    assert {i for r in range(400) for i in chosen[r].group_ids} == {b"g1", b"g6"}


@samplings
def test_rounds_resume_exactly(split: Split, sampling: str) -> None:
    cohorts = split.cohorts(3, seed=1, sampling=sampling)
    rounds = iter(cohorts)
    for _ in range(5):
        next(rounds)
    state = json.loads(json.dumps(rounds.state_dict()))
    resumed = iter(split.cohorts(3, seed=1, sampling=sampling))
    resumed.load_state_dict(state)
    assert next(resumed).group_ids == next(rounds).group_ids == cohorts[5].group_ids
    with pytest.raises(UsageError, match=r"the state is of the cohorts .* load it into cohorts of the same version"):
        iter(split.cohorts(3, seed=2, sampling=sampling)).load_state_dict(state)


def test_shares_of_workers_are_disjoint_complete_and_even(split: Split) -> None:
    cohort = split.cohorts(7, seed=0)[0]
    for workers in range(1, 10):
        shares = cohort.balanced(workers)
        assert sorted(i for share in shares for i in share.group_ids) == sorted(cohort.group_ids)
        loads = [int(share.rows.num_examples.sum()) for share in shares]
        assert max(loads) <= max(20, 4 / 3 * sum(SIZES) / workers)
        assert [cohort.shard(i, workers).group_ids for i in range(workers)] == [s.group_ids for s in shares]


@settings(max_examples=60)
@example([1, 1, 2], 2)  # the smallest first gives one worker 3 of 4
@given(st.lists(st.integers(1, 1000), min_size=1, max_size=7), st.integers(1, 3))
def test_the_fullest_worker_has_at_most_four_thirds_of_the_best(sizes: list[int], workers: int) -> None:
    column = np.array(sizes)
    rows = GroupRows(column, [b"%d" % i for i in range(len(sizes))], *[column] * 6)
    loads = [int(s.rows.num_examples.sum()) for s in Cohort(None, 0, rows).balanced(workers)]  # type: ignore[arg-type]
    every_spread = itertools.product(range(workers), repeat=len(sizes))
    best = min(
        max(sum(s for s, w in zip(sizes, spread, strict=True) if w == i) for i in spread) for spread in every_spread
    )
    assert sum(loads) == sum(sizes)
    assert max(loads) <= 4 / 3 * best


def test_a_cohort_is_a_sequence(split: Split) -> None:
    cohort = split.cohorts(4, seed=0)[2]
    assert len(cohort) == 4
    assert cohort.round == 2
    assert cohort[1].id == cohort.group_ids[1]
    assert cohort[-1].table().equals(split.group(cohort.group_ids[-1]).table())
    assert [g.id for g in cohort[1:3]] == cohort.group_ids[1:3]
    assert [g.id for g in reversed(cohort)] == cohort.group_ids[::-1]
    with pytest.raises(IndexError):
        cohort[4]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 8, "seed": 0}, "size is 8; a cohort has 1 to 7 groups"),
        ({"size": 0, "seed": 0}, "size is 0; a cohort has 1 to 7 groups"),
        ({"size": 3, "seed": 0, "min_examples": 9}, "size is 3; a cohort has 1 to 1 groups"),
        ({"size": 3, "seed": 0, "min_examples": 99}, "no group of made@1.0.0 train takes part; choose a wider filter"),
        ({"size": 3, "seed": 0, "sampling": "best"}, "sampling is 'best'; it is one of uniform, by_size, epochs"),
    ],
)
def test_what_cannot_be_drawn_is_refused(split: Split, arguments: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        split.cohorts(**arguments)


def test_what_does_not_exist_is_refused(split: Split) -> None:
    cohorts = split.cohorts(3, seed=0)
    with pytest.raises(UsageError, match="round -1 does not exist"):
        cohorts[-1]
    with pytest.raises(UsageError, match="worker 2 of 2 does not exist"):
        cohorts[0].shard(2, 2)
    with pytest.raises(UsageError, match="num_workers is 0"):
        cohorts[0].balanced(0)
    with pytest.raises(UnknownKeyError, match="no group 'x'"):
        split.cohorts(1, seed=0, group_ids=["x"])
