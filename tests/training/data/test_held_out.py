from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import groupstream
from groupstream import UnknownKeyError, UsageError
from training.data.held_out import DrawnGroups, count_groups, divide_groups, draw_for_groups

GOLDEN = Path(__file__).parents[2] / "golden" / "v1"

MANY = {f"g{i}": ["x"] * (i % 4 + 1) for i in range(400)}


def ids_of(stream) -> set[bytes]:
    return {group.id for group in stream}


def test_splits_of_the_version_are_taken(make_dataset):
    dataset = make_dataset({"a": ["x"], "b": ["x"]}, test={"c": ["x"]}, validation={"d": ["x"], "e": ["x"]})
    divided = divide_groups(dataset)
    assert (ids_of(divided.training), ids_of(divided.held_out)) == ({b"a", b"b"}, {b"c"})
    assert divided.rule == "splits train and test"
    assert ids_of(divide_groups(dataset, held_out_split="validation").held_out) == {b"d", b"e"}
    with pytest.raises(UnknownKeyError, match="no split 'dev'"):
        divide_groups(dataset, held_out_split="dev")


def test_splits_that_share_groups_are_refused(make_dataset):
    dataset = make_dataset({"a": ["x"], "b": ["x"]}, test={"b": ["y"], "c": ["y"]})
    with pytest.raises(UsageError, match=r"1 of 2 groups of made0@1.0.0 test are in train, too.*by hash"):
        divide_groups(dataset)
    divided = divide_groups(make_dataset(MANY, test={"g1": ["y"]}), by="hash")
    assert count_groups(divided.training) + count_groups(divided.held_out) == 400


def test_drawn_groups_are_disjoint_and_complete(make_dataset):
    divided = divide_groups(make_dataset(MANY), fraction=0.25, seed=5)
    training, held_out = ids_of(divided.training), ids_of(divided.held_out)
    assert training | held_out == {name.encode() for name in MANY} and not training & held_out
    assert abs(len(held_out) - 100) < 4 * np.sqrt(400 * 0.25 * 0.75)
    assert (count_groups(divided.training), count_groups(divided.held_out)) == (len(training), len(held_out))
    assert divided.rule == "0.25 of the groups of train held out by seed 5"
    for stream, expected in ((divided.training, training), (divided.held_out, held_out)):
        assert ids_of(stream.shuffle(1)) == expected
        assert ids_of(pickle.loads(pickle.dumps(stream))) == expected
        cohorts = stream.cohorts(7, seed=0, sampling="epochs")
        drawn = [group_id for round in range(cohorts.rounds_per_epoch) for group_id in cohorts[round].group_ids]
        assert sorted(drawn) == sorted(expected)
        large = {group.id for group in stream.filter(min_examples=3)}
        assert large == {group_id for group_id in expected if len(MANY[group_id.decode()]) >= 3}
        chosen = [b"g1", b"g2", b"g3", b"g4", b"g5", b"g6"]
        assert ids_of(stream.filter(group_ids=chosen)) == expected & set(chosen)
        assert ids_of(stream.filter(group_ids=chosen).shuffle(3)) == expected & set(chosen)


def test_a_group_stays_held_out_in_a_larger_version(make_dataset):
    before = ids_of(divide_groups(make_dataset(MANY), fraction=0.25, seed=5).held_out)
    more = MANY | {f"new{i}": ["x"] for i in range(100)}
    after = ids_of(divide_groups(make_dataset(more), fraction=0.25, seed=5).held_out)
    assert {group_id for group_id in after if not group_id.startswith(b"new")} == before
    assert ids_of(divide_groups(make_dataset(MANY), fraction=0.25, seed=6).held_out) != before


def test_fingerprints_tell_draws_apart():
    draws = [DrawnGroups(seed=s, fraction=f, is_held_out=h) for s in (0, 1) for f in (0.1, 0.2) for h in (False, True)]
    assert len({draw.fingerprint() for draw in draws}) == 8 and all(draws)


@given(st.lists(st.binary(max_size=9), max_size=20), st.integers(-(1 << 63), 1 << 64))
@settings(max_examples=50, deadline=None)
def test_a_draw_depends_on_seed_and_id_alone(group_ids, seed):
    draws = draw_for_groups(group_ids, seed)
    assert ((draws >= 0) & (draws < 1)).all()
    assert draws.tolist() == [float(draw_for_groups([group_id], seed)[0]) for group_id in group_ids]


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"fraction": 0.0}, "fraction is 0.0; it should be above 0 and below 1"),
        ({"fraction": 1.0}, "fraction is 1.0"),
        ({"fraction": 1e-9}, r"no groups of text@1.0.0 are held out with this rule: 1e-09 of the groups"),
        ({"by": "splits"}, r"has the splits train, none of them of groups to hold out; divide its groups by hash"),
        ({"by": "size"}, "by is 'size'; it is splits or hash"),
    ],
)
def test_wrong_rules_are_refused(setting, words):
    with pytest.raises(UsageError, match=words):
        divide_groups(groupstream.open("text@1.0.0", str(GOLDEN)), **setting)


def test_splits_may_have_other_names(make_dataset):
    dataset = make_dataset({"a": ["x"]}, support={"b": ["x"]}, query={"c": ["x"]})
    divided = divide_groups(dataset, training_split="support", held_out_split="query")
    assert (ids_of(divided.training), ids_of(divided.held_out)) == ({b"b"}, {b"c"})
    with pytest.raises(UnknownKeyError, match="no split 'dev'"):
        divide_groups(dataset, training_split="dev")
