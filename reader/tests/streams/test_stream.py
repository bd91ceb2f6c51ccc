"""Streams: what they yield, and how they are cut in shards."""

from __future__ import annotations

import itertools
import json
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from groupstream import Split, UnknownKeyError, UsageError
from groupstream.adapters.stretches import all_chunks
from groupstream.group import Group
from groupstream.stream import GroupStream

Counted = Callable[[Split], tuple[Split, list[int]]]

NUM_GROUPS = 23  # as in conftest.py


def read(stream: GroupStream | Iterator[Group]) -> list[tuple[bytes, list[dict[str, Any]]]]:
    return [(group.id, list(group.examples())) for group in stream]


def ids_of(groups: Any) -> list[bytes]:
    return [group.id for group in groups]


def test_every_group_comes_once_with_its_examples(split: Split, make: Callable, ahead: int) -> None:
    stream = make(split).prefetch(ahead)
    found = read(stream)
    passing = stream.selection
    table = split.group_table(["group_id", "num_examples"]).to_pylist()
    expected = {
        row["group_id"]
        for row in table
        if passing.min_examples <= row["num_examples"] <= (passing.max_examples or 99)
        and (passing.group_ids is None or row["group_id"] in passing.group_ids)
    }
    assert len(found) == len(expected)
    assert {group_id for group_id, _ in found} == expected
    for group_id, examples in found:
        assert examples == list(split.group(group_id).examples())


def test_stored_order_is_that_of_the_index(split: Split) -> None:
    assert ids_of(split) == split.group_table()["group_id"].to_pylist()
    kept = ids_of(split.filter(group_ids=["g01", "g00", "g17"]))
    assert kept == [i for i in ids_of(split) if i in (b"g00", b"g01", b"g17")]


def test_a_shuffle_is_a_function_of_seed_and_epoch(split: Split) -> None:
    first = ids_of(split.shuffle(1))
    assert first == ids_of(split.shuffle(1))
    assert first == ids_of(split.shuffle(1).prefetch(0))
    others = [ids_of(split), ids_of(split.shuffle(2)), ids_of(split.shuffle(1).epoch(1))]
    assert all(sorted(first) == sorted(other) and first != other for other in others)


def test_epochs_follow_each_other(split: Split) -> None:
    stream = split.shuffle(1)
    assert ids_of(stream.repeat(3)) == ids_of(stream) + ids_of(stream.epoch(1)) + ids_of(stream.epoch(2))
    assert ids_of(stream.epoch(4).repeat(2)) == ids_of(stream.epoch(4)) + ids_of(stream.epoch(5))
    endless = ids_of(itertools.islice(split.stream().repeat(), 5 * NUM_GROUPS))
    assert endless == 5 * ids_of(split)


@pytest.mark.parametrize("count", [1, 2, 3, 7, NUM_GROUPS + 3])
def test_shards_are_disjoint_and_complete(split: Split, make: Callable, count: int) -> None:
    stream = make(split)
    shards = [ids_of(stream.shard(i, count)) for i in range(count)]
    assert sorted(itertools.chain(*shards)) == sorted(ids_of(stream))
    if stream.seed is None:
        assert list(itertools.chain(*shards)) == ids_of(stream)
    else:
        assert [i for i in itertools.chain(*itertools.zip_longest(*shards)) if i] == ids_of(stream)


def test_a_shard_of_a_shard_is_a_shard(split: Split, make: Callable) -> None:
    for i in range(3):
        parts = [ids_of(make(split).shard(i, 3).shard(j, 2)) for j in range(2)]
        assert sorted(itertools.chain(*parts)) == sorted(ids_of(make(split).shard(i, 3)))


def test_selected_features_are_decoded_and_no_others(split: Split) -> None:
    stream = split.select("n")
    assert [list(e) for g in stream for e in g.examples()] == [["n"]] * split.num_examples
    assert {e for g in split.select("text", "n") for b in g.batches() for e in b.schema.names} == {"n", "text"}
    with pytest.raises(UnknownKeyError, match=r"made@1\.0\.0 has no feature 'm'; it has n, text"):
        split.select("m")


def test_unknown_ids_are_refused_before_anything_is_read(split: Split) -> None:
    with pytest.raises(UnknownKeyError, match=r"no group 'x' \(and 1 more of the ids asked for\) in split train"):
        split.filter(group_ids=["g01", "x", "y"])
    with pytest.raises(UnknownKeyError, match="no group 'x' in split train"):
        split.groups(["g01", "x"])


def test_filters_add_up(split: Split) -> None:
    stream = split.filter(min_examples=2, group_ids=["g00", "g01", "g02"])
    stream = stream.filter(max_examples=9, group_ids=["g01", "g02"])
    assert sorted(ids_of(stream)) == [i for i in (b"g01", b"g02") if 2 <= split.group(i).num_examples <= 9]


@pytest.mark.parametrize(("index", "count"), [(2, 2), (-1, 2), (0, 0)])
def test_a_shard_that_does_not_exist_is_refused(split: Split, index: int, count: int) -> None:
    with pytest.raises(UsageError, match=f"shard {index} of {count} does not exist"):
        split.shard(index, count)


def test_many_ids_come_in_their_order_and_in_few_requests(split: Split, counted: Counted) -> None:
    wanted = [f"g{i:02}" for i in (5, 2, 20, 11, 2)]
    expected = [(i.encode(), list(split.group(i).examples())) for i in wanted]
    counting, sizes = counted(split)
    assert read(counting.groups(wanted)) == expected
    assert len(sizes) <= len(split.info.shards)


def test_a_stream_travels_to_other_processes(split: Split, make: Callable) -> None:
    stream = make(split).shard(1, 2)
    assert read(pickle.loads(pickle.dumps(stream))) == read(stream)


@pytest.mark.parametrize(
    "make",
    [
        lambda split: iter(split.filter(min_examples=99).repeat()),
        lambda split: iter(split.filter(min_examples=99).shuffle(1).repeat()),
        lambda split: iter(split.shuffle(1).shard(30, 40).repeat()),
        lambda split: iter(split.shard(0, 40).repeat()),
        lambda split: split.stream().repeat().batches(10_000, drop_last=True),
        lambda split: all_chunks(split.filter(min_examples=99).repeat()),
    ],
)
def test_a_stream_without_end_that_gives_nothing_says_so(split: Split, make: Callable) -> None:
    with pytest.raises(UsageError, match=r"of 'made@1\.0\.0 train.*' gives nothing in a whole epoch, and .* no end"):
        next(make(split))


def test_a_stream_with_an_end_may_be_empty(split: Split) -> None:
    assert ids_of(split.filter(min_examples=99).repeat(3)) == []
    assert ids_of(split.shuffle(1).shard(30, 40).repeat(3)) == []


def test_what_was_looked_up_does_not_travel(split: Split) -> None:
    for make in (lambda: split.filter(min_examples=3).shuffle(3), lambda: split.cohorts(2, 1, "by_size")):
        fresh, used = make(), make()
        next(iter(used))
        assert len(pickle.dumps(used)) == len(pickle.dumps(fresh))
        first = next(iter(pickle.loads(pickle.dumps(used))))
        assert getattr(first, "id", None) == getattr(next(iter(fresh)), "id", None)


def test_numbers_of_numpy_are_numbers(split: Split) -> None:
    three, seed = np.int64(3), np.int64(7)
    stream = split.filter(min_examples=three, max_examples=np.int32(9)).shuffle(seed).shard(np.int64(0), np.int64(2))
    same = split.filter(min_examples=3, max_examples=9).shuffle(7).shard(0, 2)
    assert json.loads(json.dumps(iter(stream).state_dict())) == iter(same).state_dict()
    assert ids_of(stream) == ids_of(same)
    assert split.cohorts(three, seed)[np.int64(4)].group_ids == split.cohorts(3, 7)[4].group_ids


def test_one_id_is_not_a_list_of_ids(split: Split) -> None:
    for one in ("g01", b"g01"):
        with pytest.raises(UsageError, match=r"group ids are given as a list of them; this is one, b?'g01'"):
            split.filter(group_ids=one)
        with pytest.raises(UsageError, match="group ids are given as a list of them"):
            split.groups(one)
    with pytest.raises(UsageError, match="a group id is bytes or text, 1 is neither"):
        split.group(1)  # type: ignore[arg-type]
    assert "\ud800" not in split


def test_features_are_named_once_each(split: Split) -> None:
    assert split.select("n", "text", "n").features == ("n", "text")
    with pytest.raises(UnknownKeyError, match=r"no feature \['n', 'text'\]; it has n, text"):
        split.select(["n", "text"])  # type: ignore[arg-type]


def test_without_a_feature_the_examples_are_still_there(split: Split, ahead: int) -> None:
    for group in split.select().prefetch(ahead):
        assert list(group.examples()) == [{}] * len(group)
        assert group.table().num_rows == len(group)
    assert sum(len(batch) for batch in split.select().batches(7)) == split.num_examples


def test_groups_travel_to_other_processes(split: Split, ahead: int) -> None:
    for group in split.shuffle(1).prefetch(ahead):
        moved = pickle.loads(pickle.dumps(group))
        assert (moved.id, moved.num_bytes) == (group.id, group.num_bytes)
        assert moved.table().equals(group.table())
