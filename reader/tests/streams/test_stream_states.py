"""Streams go on where they were, also in another number of shards."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from groupstream import Split, UsageError
from groupstream.group import Group
from groupstream.stream import GroupStream

Counted = Callable[[Split], tuple[Split, list[int]]]

NUM_GROUPS = 23  # as in conftest.py


def _stored(split: Split) -> GroupStream:
    return split.stream()


def _shuffled(split: Split) -> GroupStream:
    return split.shuffle(seed=3)


def read(stream: GroupStream | Iterator[Group]) -> list[tuple[bytes, list[dict[str, Any]]]]:
    return [(group.id, list(group.examples())) for group in stream]


def ids_of(groups: Any) -> list[bytes]:
    return [group.id for group in groups]


@pytest.mark.parametrize("shard", [(0, 1), (1, 2)])
def test_after_a_restart_the_next_group_is_the_one_that_would_have_come(
    split: Split, make: Callable, shard: tuple[int, int], ahead: int
) -> None:
    stream = make(split).prefetch(ahead).shard(*shard).repeat(2)
    whole = read(stream)
    for taken in range(len(whole) + 1):
        iterator = iter(stream)
        for group in itertools.islice(iterator, taken):
            if taken % 2:
                list(group.batches())
        state = json.loads(json.dumps(iterator.state_dict()))
        resumed = iter(make(split).shard(*shard).repeat(2))
        resumed.load_state_dict(state)
        assert resumed.state_dict() == state
        assert read(resumed) == whole[taken:]
        assert next(iterator, None) is None or taken < len(whole)


def test_resuming_reads_nothing_of_what_came_before(split: Split, counted: Counted) -> None:
    counting, sizes = counted(split)
    for make in (_stored, _shuffled):
        iterator = iter(make(split).prefetch(0))
        list(itertools.islice(iterator, 20))
        resumed = iter(make(counting).prefetch(0))
        resumed.load_state_dict(iterator.state_dict())
        sizes.clear()
        left = [split.group(group_id) for group_id in ids_of(make(split))[20:]]
        assert len(read(resumed)) == len(left) == 3
        whole = sum(split.group_table(["length_bytes"])["length_bytes"].to_pylist())
        needed = sum(group.num_bytes + 16 * len(group) for group in left)
        assert needed <= sum(sizes) < whole if make is _shuffled else sum(sizes) == needed


@pytest.mark.parametrize("before", [1, 2, 3])
@pytest.mark.parametrize("after", [1, 2, 5])
@pytest.mark.parametrize("steps", [0, 1, 4, None])
def test_the_number_of_shards_may_change_in_a_shuffled_epoch(
    split: Split, before: int, after: int, steps: int | None
) -> None:
    steps = NUM_GROUPS // before if steps is None else steps  # as many as all shards have
    stream = split.shuffle(9).repeat(2)
    iterators = [iter(stream.shard(i, before)) for i in range(before)]
    taken = [[next(it).id for _ in range(steps)] for it in iterators]
    assert [i for step in zip(*taken, strict=True) for i in step] == ids_of(split.shuffle(9))[: steps * before]
    resumed = []
    for index in range(after):
        iterator = iter(stream.shard(index, after))
        iterator.load_state_dict(iterators[-1 - index % before].state_dict())
        resumed.append(iterator)
    first_epoch = len(ids_of(split.shuffle(9))) - steps * before
    here = [[next(it).id for _ in range(len(range(i, first_epoch, after)))] for i, it in enumerate(resumed)]
    in_order = [i for i in itertools.chain(*itertools.zip_longest(*here)) if i]
    assert in_order == ids_of(split.shuffle(9))[steps * before :]
    rest = [i for i in itertools.chain(*itertools.zip_longest(*map(ids_of, resumed))) if i]
    assert rest == ids_of(split.shuffle(9).epoch(1))


def test_a_state_of_a_changed_count_goes_on_and_changes_again(split: Split) -> None:
    order = ids_of(split.shuffle(9))
    two = [iter(split.shuffle(9).shard(i, 2)) for i in range(2)]
    found = [next(it).id for _ in range(3) for it in two]
    three = [iter(split.shuffle(9).shard(i, 3)) for i in range(3)]
    for it in three:
        it.load_state_dict(two[0].state_dict())
    found += [next(it).id for _ in range(2) for it in three]
    one = iter(split.shuffle(9))
    one.load_state_dict(three[2].state_dict())
    assert found + ids_of(one) == order


@pytest.mark.parametrize("make", [_stored, _shuffled])
def test_the_number_of_shards_may_change_between_epochs(split: Split, make: Callable) -> None:
    stream = make(split).repeat(2)
    iterators = [iter(stream.shard(i, 2)) for i in range(2)]
    sizes = [len(ids_of(make(split).shard(i, 2))) for i in range(2)]
    for it, size in zip(iterators, sizes, strict=True):
        list(itertools.islice(it, size))
    resumed = [iter(stream.shard(i, 3)) for i in range(3)]
    for it in resumed:
        it.load_state_dict(iterators[0].state_dict())
    assert sorted(itertools.chain(*map(ids_of, resumed))) == sorted(ids_of(split))


def test_stored_order_refuses_another_number_of_shards_in_mid_epoch(split: Split) -> None:
    iterator = iter(split.shard(0, 2))
    next(iterator)
    with pytest.raises(UsageError, match=r"shard 0 of 2 in the middle of an epoch, this is shard 1 of 3; .* shuffle"):
        iter(split.shard(1, 3)).load_state_dict(iterator.state_dict())


@pytest.mark.parametrize(
    "other",
    [_stored, lambda s: s.shuffle(4), lambda s: s.filter(min_examples=3, max_examples=9).shuffle(3)],
    ids=["order", "seed", "filter"],
)
def test_a_state_of_another_stream_is_refused(split: Split, other: Callable) -> None:
    state = iter(split.shuffle(3)).state_dict()
    with pytest.raises(UsageError, match=r"the state is of the stream 'made@1\.0\.0 train shuffled by 3', this one is"):
        iter(other(split)).load_state_dict(state)


@pytest.mark.parametrize("make", [lambda s, i: s.shard(i, 40), lambda s, i: s.shuffle(1).shard(i, 40)])
def test_before_an_epoch_any_shard_may_say_where_it_stands(split: Split, make: Callable) -> None:
    for index in (0, 39):  # of which one has no groups
        iterator = iter(make(split, 0).split.shuffle(1) if make(split, 0).seed else split)
        iterator.load_state_dict(iter(make(split, index)).state_dict())
        assert len(ids_of(iterator)) == NUM_GROUPS


def test_a_state_of_batches_is_refused_within_a_group(split: Split) -> None:
    stream = split.filter(min_examples=4)
    batches = stream.batches(3)
    next(batches)
    with pytest.raises(UsageError, match="the state is of batches of examples, 3 examples into a group"):
        iter(stream).load_state_dict(batches.state_dict())
    at_a_border = {**batches.state_dict(), "num_given": 0}
    iterator = iter(stream)
    iterator.load_state_dict(at_a_border)
    assert ids_of(iterator) == ids_of(stream)
