"""Streams: what they yield, how they are cut in shards, how they go on."""

from __future__ import annotations

import gc
import itertools
import json
import pickle
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import groupstream
from groupstream import CorruptError, Dataset, Feature, Manifest, Split, StoreError, UnknownKeyError, UsageError, layout
from groupstream import chunk as chunk_module
from groupstream.adapters.stretches import all_chunks
from groupstream.group import Group
from groupstream.refs import Location
from groupstream.stores import LocalStore
from groupstream.stream import GroupStream
from groupstream.testing import WrappedStore

Counted = Callable[[Split], tuple[Split, list[int]]]

NUM_GROUPS = 23
SIZES = [1 + (7 * i) % 11 for i in range(NUM_GROUPS)]


@pytest.fixture
def split(make_version: Callable[..., Path]) -> Split:
    ids = [b"g%02d" % i for i, size in enumerate(SIZES) for _ in range(size)]
    examples = [{"n": n, "text": f"{n} " * (n % 40)} for n in range(len(ids))]
    features = {"n": Feature(dtype="int64"), "text": Feature(dtype="string")}
    return groupstream.open("made", str(make_version(examples, ids, features, num_shards=3)))["train"]


@pytest.fixture(params=[0, 1, 3], ids=lambda n: f"{n}-ahead")
def ahead(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Chunks of a few groups, so that a small version has many; some groups are larger than a chunk."""
    monkeypatch.setattr(chunk_module, "CHUNK_BYTES", 900)
    return int(request.param)


ORDERS: dict[str, Callable[[Split], GroupStream]] = {
    "stored": lambda split: split.stream(),
    "shuffled": lambda split: split.shuffle(seed=3),
    "filtered": lambda split: split.filter(min_examples=3, max_examples=9),
    "filtered, shuffled": lambda split: split.filter(min_examples=3, max_examples=9).shuffle(seed=3),
    "by id": lambda split: split.filter(group_ids=[f"g{i:02}" for i in range(0, NUM_GROUPS, 2)]),
    "by id, shuffled": lambda split: split.filter(group_ids=[f"g{i:02}" for i in range(5)]).shuffle(-1),
}
orders = pytest.mark.parametrize("make", ORDERS.values(), ids=ORDERS)


def read(stream: GroupStream | Iterator[Group]) -> list[tuple[bytes, list[dict[str, Any]]]]:
    return [(group.id, list(group.examples())) for group in stream]


def ids_of(groups: Any) -> list[bytes]:
    return [group.id for group in groups]


@orders
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


@orders
@pytest.mark.parametrize("count", [1, 2, 3, 7, NUM_GROUPS + 3])
def test_shards_are_disjoint_and_complete(split: Split, make: Callable, count: int) -> None:
    stream = make(split)
    shards = [ids_of(stream.shard(i, count)) for i in range(count)]
    assert sorted(itertools.chain(*shards)) == sorted(ids_of(stream))
    if stream.seed is None:
        assert list(itertools.chain(*shards)) == ids_of(stream)
    else:
        assert [i for i in itertools.chain(*itertools.zip_longest(*shards)) if i] == ids_of(stream)


@orders
def test_a_shard_of_a_shard_is_a_shard(split: Split, make: Callable) -> None:
    for i in range(3):
        parts = [ids_of(make(split).shard(i, 3).shard(j, 2)) for j in range(2)]
        assert sorted(itertools.chain(*parts)) == sorted(ids_of(make(split).shard(i, 3)))


@orders
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
    for make in (ORDERS["stored"], ORDERS["shuffled"]):
        iterator = iter(make(split).prefetch(0))
        list(itertools.islice(iterator, 20))
        resumed = iter(make(counting).prefetch(0))
        resumed.load_state_dict(iterator.state_dict())
        sizes.clear()
        left = [split.group(group_id) for group_id in ids_of(make(split))[20:]]
        assert len(read(resumed)) == len(left) == 3
        whole = sum(split.group_table(["length_bytes"])["length_bytes"].to_pylist())
        needed = sum(group.num_bytes + 16 * len(group) for group in left)
        assert needed <= sum(sizes) < whole if make is ORDERS["shuffled"] else sum(sizes) == needed


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


@pytest.mark.parametrize("make", [ORDERS["stored"], ORDERS["shuffled"]])
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
    "other", [ORDERS["stored"], lambda s: s.shuffle(4), ORDERS["filtered, shuffled"]], ids=["order", "seed", "filter"]
)
def test_a_state_of_another_stream_is_refused(split: Split, other: Callable) -> None:
    state = iter(split.shuffle(3)).state_dict()
    with pytest.raises(UsageError, match=r"the state is of the stream 'made@1\.0\.0 train shuffled by 3', this one is"):
        iter(other(split)).load_state_dict(state)


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


def test_a_stream_that_is_left_leaves_no_thread(split: Split, ahead: int) -> None:
    for stream in (split.shuffle(1), split.stream()):
        for group in stream.prefetch(3):
            list(group.batches())
            break
    ours = [thread for thread in threading.enumerate() if thread.name.startswith("groupstream")]
    gc.collect()
    for thread in ours:
        thread.join(timeout=10)
    assert not any(thread.is_alive() for thread in ours)


def test_an_error_in_a_thread_ahead_comes_where_the_group_is_read(split: Split, ahead: int, tmp_path: Path) -> None:
    names = ids_of(split)
    place = split.group_table().to_pylist()[12]
    path = tmp_path / "made" / "1.0.0" / split.info.shards[place["shard_index"]].path
    content = bytearray(path.read_bytes())
    content[place["offset_bytes"] + 20] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    read_whole: list[bytes] = []

    def read_all() -> None:
        for group in split.stream().prefetch(ahead):
            list(group.examples())
            read_whole.append(group.id)

    with pytest.raises(CorruptError, match=rf"byte {place['offset_bytes']}: the CRC of the data of the record at \+0"):
        read_all()
    assert read_whole == names[: len(read_whole)]
    assert 12 - 4 <= len(read_whole) <= 12


def test_a_stream_travels_to_other_processes(split: Split) -> None:
    for make in ORDERS.values():
        stream = make(split).shard(1, 2)
        assert read(pickle.loads(pickle.dumps(stream))) == read(stream)


def test_chunks_hold_the_groups_in_order(split: Split, ahead: int) -> None:
    found = []
    for chunk in split.shuffle(5).prefetch(ahead).chunks():
        blocks = list(chunk.blocks())
        assert sum(b.num_rows for b in blocks) == chunk.bounds[-1] == chunk.rows.num_examples.sum()
        assert chunk.is_large or [blocks[0]] == [chunk.examples]
        found += chunk.rows.group_ids
    assert found == ids_of(split.shuffle(5))


def test_a_chunk_that_is_kept_can_be_read_after_the_stream_is_left(split: Split, ahead: int) -> None:
    for stream in (split.stream(), split.shuffle(1)):
        chunk = next(stream.prefetch(ahead).chunks())
        assert sum(block.num_rows for block in chunk.blocks()) == chunk.bounds[-1]


def read_through(split: Split, note: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> Split:
    """The same split in chunks without large groups; `note` is called for what other threads read of a shard."""
    monkeypatch.setattr(chunk_module, "CHUNK_BYTES", 2500)

    def noted(path: str, offset: int, data: bytes) -> bytes:
        if path.endswith(".tfrecord") and threading.current_thread() is not threading.main_thread():
            note()
        return data

    root, name, version = split.location.rsplit("/", 2)
    location = Location(WrappedStore(LocalStore(root), noted), f"{name}/{version}")
    content = location.store.read(f"{location.folder}/{layout.MANIFEST}")
    return Dataset(location, Manifest.from_json(content, ""))[split.name]


def test_chunks_ahead_are_read_at_the_same_time(split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(2, timeout=20)
    chunks = read_through(split, together.wait, monkeypatch).prefetch(2).chunks()
    assert next(chunks).examples.num_rows  # in this thread; the next two begin
    assert next(chunks).examples.num_rows
    together.abort()


def test_after_an_error_ahead_a_chunk_can_be_read_again(split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise StoreError("the network is down")

    chunks = read_through(split, fail, monkeypatch).prefetch(1).chunks()
    assert next(chunks).examples.num_rows
    second = next(chunks)
    with pytest.raises(StoreError, match="the network is down"):
        _ = second.examples
    assert second.examples.num_rows == second.bounds[-1]


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
