"""Batches of examples across groups, as Arrow record batches."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import groupstream
from groupstream import CorruptError, Feature, Split, UsageError
from groupstream.stream import GroupStream

NAMES = ["text", "tags", "digits"]


def examples_of(stream: GroupStream) -> list[tuple[bytes, Any]]:
    """What batches should hold, by way of groups alone; comparable with ==."""
    return [
        (group.id, example)
        for group in stream
        for batch in group.batches()
        for example in without_tensors(batch).to_pylist()
    ]


def without_tensors(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Tensors as lists."""
    columns = [getattr(column, "storage", column) for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, batch.schema.names)


def examples_in(batches: Any) -> list[tuple[bytes, Any]]:
    return [(example.pop("group_id"), example) for batch in batches for example in without_tensors(batch).to_pylist()]


@pytest.fixture(params=["stored", "shuffled", "filtered", "shard", "repeated"])
def change(request: pytest.FixtureRequest) -> Callable[[Split], GroupStream]:
    """A way to make a stream of a split."""
    ways: dict[str, Callable[[Split], GroupStream]] = {
        "stored": lambda split: split.stream(),
        "shuffled": lambda split: split.shuffle(seed=3),
        "filtered": lambda split: split.filter(min_examples=2),
        "shard": lambda split: split.filter(max_examples=5).shuffle(seed=1).shard(1, 2),
        "repeated": lambda split: split.shuffle(seed=2).shard(0, 2).repeat(3),
    }
    return ways[request.param]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("batch_size", [1, 3, 7, 1000, None])
def test_batches_of_a_golden_version_hold_its_examples(golden: Path, name: str, batch_size: int | None) -> None:
    split = groupstream.open(name, str(golden))["train"]
    batches = list(split.batches(batch_size))
    assert examples_in(batches) == examples_of(split.stream())
    assert batches[0].schema.names == ["group_id", *split.features]
    if batch_size:
        assert [len(batch) for batch in batches[:-1]] == [batch_size] * (len(batches) - 1)
        assert 0 < len(batches[-1]) <= batch_size


@pytest.mark.parametrize("batch_size", range(1, 26))
def test_batches_are_full_but_the_last(varied: Split, batch_size: int) -> None:
    sizes = [len(batch) for batch in varied.batches(batch_size)]
    full, rest = divmod(24, batch_size)
    assert sizes == [batch_size] * full + [rest] * bool(rest)
    assert [len(b) for b in varied.batches(batch_size, drop_last=True)] == [batch_size] * full
    assert examples_in(varied.batches(batch_size)) == examples_of(varied.stream())


def test_no_batch_holds_examples_of_two_epochs(varied: Split) -> None:
    batches = list(varied.shuffle(seed=1).repeat(2).batches(10))
    assert [len(batch) for batch in batches] == [10, 10, 4, 10, 10, 4]
    assert examples_in(batches) == examples_of(varied.shuffle(seed=1).repeat(2))
    assert examples_in(batches[:3]) != examples_in(batches[3:])
    assert [len(batch) for batch in varied.stream().repeat(2).batches(10, drop_last=True)] == [10] * 4


@pytest.mark.parametrize("batch_size", [1, 2, 5, None])
@pytest.mark.parametrize("drop_last", [False, True])
def test_batches_go_on_from_every_place(
    varied: Split, change: Callable[[Split], GroupStream], batch_size: int | None, drop_last: bool
) -> None:
    stream = change(varied)
    assert_goes_on_from_every_place(stream, batch_size, drop_last)


@pytest.mark.parametrize("batch_size", [1, 3, 4])
def test_large_groups_go_on_from_every_place(
    large_groups: Split, change: Callable[[Split], GroupStream], batch_size: int
) -> None:
    stream = change(large_groups)
    assert sum(chunk.is_large for chunk in stream.chunks())
    assert examples_in(stream.batches(batch_size)) == examples_of(stream)
    assert_goes_on_from_every_place(stream, batch_size, drop_last=False)


def assert_goes_on_from_every_place(stream: GroupStream, batch_size: int | None, drop_last: bool) -> None:
    whole = examples_in(stream.batches(batch_size, drop_last=drop_last))
    batches, given = stream.batches(batch_size, drop_last=drop_last), 0
    while True:
        state = json.loads(json.dumps(batches.state_dict()))
        resumed = stream.batches(batch_size, drop_last=drop_last)
        resumed.load_state_dict(state)
        assert resumed.state_dict() == state
        assert examples_in(resumed) == whole[given:]
        if (batch := next(batches, None)) is None:
            return
        given += len(batch)


@pytest.mark.parametrize("draw", range(12))
def test_any_sizes_of_groups_chunks_and_batches(make_version: Any, monkeypatch: pytest.MonkeyPatch, draw: int) -> None:
    random = np.random.default_rng(draw)
    sizes = random.geometric(0.3, random.integers(1, 15)).tolist()
    ids = [b"%d" % group for group, size in enumerate(sizes) for _ in range(size)]
    root = make_version([{"n": n} for n in range(len(ids))], ids, {"n": Feature(dtype="int64")})
    monkeypatch.setattr("groupstream.chunk.CHUNK_BYTES", int(random.integers(50, 600)))
    stream = groupstream.open("made", str(root))["train"].shuffle(seed=draw).shard(0, 1 + draw % 2).repeat(2)
    stream = stream.prefetch(draw % 3)
    whole = examples_in(stream.batches(int(random.integers(1, 12))))
    assert whole == examples_of(stream)
    batches, num_given = stream.batches(int(random.integers(1, 6))), 0
    for batch in batches:
        num_given += len(batch)
        resumed = stream.batches(int(random.integers(1, 20)))
        resumed.load_state_dict(json.loads(json.dumps(batches.state_dict())))
        assert examples_in(resumed) == whole[num_given:]


def test_a_large_group_is_several_blocks(large_groups: Split) -> None:
    [chunk] = large_groups.filter(min_examples=11).chunks()
    assert chunk.is_large
    assert len(list(chunk.blocks())) > 2


def test_what_was_given_of_a_large_group_is_not_decoded_again(
    large_groups: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    from groupstream.shard_reader import ShardReader

    decoded: list[int] = []
    decode = ShardReader.decode

    def counted(self: ShardReader, records: pa.LargeBinaryArray) -> pa.RecordBatch:
        decoded.append(len(records))
        return decode(self, records)

    monkeypatch.setattr(ShardReader, "decode", counted)
    stream = large_groups.filter(min_examples=11)
    batches = stream.batches(9)
    next(batches)
    resumed = stream.batches(9)
    resumed.load_state_dict(batches.state_dict())
    decoded.clear()
    assert len(next(resumed)) == sum(decoded) == 2


@pytest.mark.parametrize(("first", "then"), list(itertools.permutations([1, 2, 5, 9], 2)))
def test_a_state_suits_any_size_of_batches(varied: Split, first: int, then: int) -> None:
    stream = varied.shuffle(seed=5)
    whole = examples_in(stream.batches(1))
    batches, resumed = stream.batches(first), stream.batches(then)
    next(batches)
    resumed.load_state_dict(batches.state_dict())
    assert examples_in(resumed) == whole[first:]


def test_a_state_does_not_depend_on_how_chunks_are_cut(varied: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    def states() -> list[dict[str, Any]]:
        batches = varied.shuffle(seed=5).batches(2)
        return [batches.state_dict() for _ in batches]

    together = states()
    monkeypatch.setattr("groupstream.chunk.CHUNK_BYTES", 700)
    assert len(list(varied.shuffle(seed=5).chunks())) > 3
    assert states() == together


def test_batches_of_one_chunk_are_not_copied(varied: Split) -> None:
    first, second = itertools.islice(varied.batches(4), 2)
    addresses = {batch.column("small").buffers()[1].address for batch in (first, second)}
    assert len(addresses) == 1


def test_a_state_of_other_shards_is_refused_within_an_epoch_only(varied: Split) -> None:
    stream = varied.shuffle(seed=5)
    batches = stream.shard(0, 2).batches(2)
    begun = batches.state_dict()
    next(batches)
    other = stream.shard(0, 3).batches(2)
    with pytest.raises(UsageError, match=r"^the state is of shard 0 of 2 in the middle .* this is shard 0 of 3"):
        other.load_state_dict(batches.state_dict())
    other.load_state_dict(begun)
    assert examples_in(other) == examples_of(stream.shard(0, 3))


def test_a_state_of_another_stream_is_refused(varied: Split) -> None:
    state = varied.shuffle(seed=5).batches(2).state_dict()
    with pytest.raises(UsageError, match="the state is of the stream"):
        varied.shuffle(seed=6).batches(2).load_state_dict(state)


def test_after_an_error_it_goes_on_from_where_it_stands(golden_copy: Path) -> None:
    path = golden_copy / "text" / "1.0.0" / "train-00002-of-00003.tfrecord"
    whole = path.read_bytes()
    stream = groupstream.open("text", str(golden_copy))["train"].stream()
    expected = examples_of(stream)
    path.write_bytes(whole[:-20])
    batches = stream.batches(3)
    found: list[pa.RecordBatch] = []
    for _ in range(2):
        with pytest.raises(CorruptError, match="cut short"):
            found.extend(batches)
    path.write_bytes(whole)
    assert examples_in([*found, *batches]) == expected


@pytest.mark.parametrize("batch_size", [0, -3])
def test_batches_hold_something(varied: Split, batch_size: int) -> None:
    with pytest.raises(UsageError, match=f"^batch_size is {batch_size}; it should be at least 1, or None$"):
        varied.batches(batch_size)


def test_only_selected_features_are_there(varied: Split) -> None:
    assert next(varied.select("text", "flag").batches(2)).schema.names == ["group_id", "text", "flag"]
    assert next(varied.select().batches(2)).schema.names == ["group_id"]


def test_the_reader_of_arrow_has_all_examples(varied: Split) -> None:
    reader = varied.to_arrow(5)
    assert isinstance(reader, pa.RecordBatchReader)
    assert reader.schema.names == ["group_id", *varied.features]
    assert reader.schema.field("group_id").type == pa.binary()
    assert not reader.schema.field("group_id").nullable
    table = reader.read_all()
    assert examples_in(table.to_batches()) == examples_of(varied.stream())
    assert varied.filter(min_examples=100).to_arrow().read_all().num_rows == 0


def test_pandas_reads_it(varied: Split) -> None:
    pytest.importorskip("pandas")
    frame = varied.select("small").to_arrow(5).read_pandas()
    assert (frame["group_id"].nunique(), frame["small"].sum()) == (8, sum(n - 12 for n in range(24)))


def test_without_a_feature_large_groups_have_their_examples(large_groups: Split) -> None:
    stream = large_groups.select()
    assert examples_in(stream.batches(4)) == [(group.id, {}) for group in large_groups for _ in range(len(group))]
    assert_goes_on_from_every_place(stream, 3, drop_last=False)
