"""Reading the Arrow copy: the same examples as from the shards, whatever the order, and without a copy in memory."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import groupstream
from groupstream import Feature, Split, UnknownKeyError, UsageError
from groupstream.arrow_copy import make_arrow_copy

pytestmark = pytest.mark.usefixtures("cache")

GOLDEN_NAMES = ("text", "tags", "digits")
FEATURES = {
    "name": Feature(dtype="string"),
    "raw": Feature(dtype="bytes", optional=True),
    "count": Feature(dtype="int64", optional=True),
    "flags": Feature(dtype="bool", shape=(None,)),
    "words": Feature(dtype="string", shape=(None,), optional=True),
    "pixels": Feature(dtype="float32", shape=(2, 3), optional=True),
    "mask": Feature(dtype="bool", shape=(5,)),
}
LIGHT = """
import sys, groupstream
from groupstream.arrow_copy import make_arrow_copy
make_arrow_copy(groupstream.open("made", sys.argv[1]))
train = groupstream.open("made", sys.argv[1], arrow=True)["train"]
for stream in (train, train.shuffle(1)):
    assert sum(len(list(group.examples())) for group in stream) == 300
    assert sum(len(chunk.examples) for chunk in stream.select("name").chunks()) == 300
print("pandas" in sys.modules)
"""
MEMORY = """
import sys, groupstream

def anonymous_bytes():
    lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return 1024 * int(lines["RssAnon"].split()[0])

group = groupstream.open("made", sys.argv[1], arrow=True)["train"].group("large")
held = [next(group.batches())]
before, most = anonymous_bytes(), 0
for batch in group.batches():
    held.append(batch)
    most = max(most, anonymous_bytes())
print(sum(batch.nbytes for batch in held), most - before)
"""


@pytest.fixture
def made(make_version: Callable[..., Path]) -> Path:
    """A root with a version of every kind of feature, with nulls, in four shards of which one is empty."""
    draw = np.random.default_rng(3)
    examples = [_example(draw, i) for i in range(300)]
    ids = [b"g%d" % int(draw.integers(0, 40)) for _ in examples]
    return make_version(examples, ids, FEATURES, num_shards=4)


@pytest.fixture
def large(make_version: Callable[..., Path]) -> Path:
    """A root with a group of 20 MiB, and small ones."""
    examples = [{"x": bytes([i]) * (1 << 20)} for i in range(20)] + [{"x": bytes([i])} for i in range(100)]
    ids = [b"large"] * 20 + [b"small-%d" % (i % 9) for i in range(100)]
    return make_version(examples, ids, {"x": Feature(dtype="bytes")}, num_shards=1)


def _example(draw: np.random.Generator, i: int) -> dict[str, Any]:
    return {
        "name": f"näme {i}" * (i % 4),
        "raw": None if i % 3 else bytes(range(i % 256)),
        "count": None if i % 5 == 1 else i - 100,
        "flags": (draw.random(i % 4) < 0.5).tolist(),
        "words": None if i % 7 == 2 else [f"w{k}" for k in range(i % 3)],
        "pixels": None if i % 4 == 3 else draw.random(6, np.float32).tolist(),
        "mask": (draw.random(5) < 0.5).tolist(),
    }


def both(name: str, root: Path) -> tuple[Split, Split]:
    """The split `train`, read from the shards and from a copy that is made now."""
    dataset = groupstream.open(name, str(root))
    make_arrow_copy(dataset)
    return dataset["train"], groupstream.open(name, str(root), arrow=True)["train"]


def content(groups: Any) -> list[tuple[bytes, int, pa.Table]]:
    return [(group.id, group.num_bytes, group.table()) for group in groups]


def address(batch: pa.RecordBatch) -> int:
    """Where the bytes of the first column are in memory."""
    return int(batch.column(0).buffers()[1].address)


@pytest.mark.parametrize("name", GOLDEN_NAMES)
def test_golden_versions_read_the_same(golden: Path, name: str) -> None:
    shards, copy = both(name, golden)
    assert content(copy) == content(shards)
    for a, b in zip(copy, shards, strict=True):
        assert a.table().schema == b.table().schema
        assert str(list(a.examples())) == str(list(b.examples()))
        assert [r.to_pylist() for r in a.records()] == [r.to_pylist() for r in b.records()]


def test_every_kind_of_feature_reads_the_same(made: Path) -> None:
    shards, copy = both("made", made)
    assert content(copy) == content(shards)
    assert sum(len(group.table()) for group in copy) == 300
    assert copy.group("g7").table().equals(shards.group("g7").table())
    assert content(copy.groups(["g9", "g1", "g30", "g2"])) == content(shards.groups(["g9", "g1", "g30", "g2"]))


def test_streams_and_cohorts_are_the_same(made: Path) -> None:
    shards, copy = both("made", made)
    assert content(copy.shuffle(5).repeat(2)) == content(shards.shuffle(5).repeat(2))
    assert content(copy.shuffle(5).shard(1, 3)) == content(shards.shuffle(5).shard(1, 3))
    assert content(copy.shard(1, 3)) == content(shards.shard(1, 3))
    assert content(copy.filter(min_examples=8)) == content(shards.filter(min_examples=8))
    assert content(copy.cohorts(5, 1)[400]) == content(shards.cohorts(5, 1)[400])
    assert copy.cohorts(5, 1)[3][2].table().equals(shards.cohorts(5, 1)[3][2].table())


def test_a_stream_resumes_from_a_state_of_either(made: Path) -> None:
    shards, copy = both("made", made)
    before = iter(shards.shuffle(5))
    for _ in range(11):
        next(before)
    after = iter(copy.shuffle(5))
    after.load_state_dict(before.state_dict())
    assert content(after) == content(before)


@pytest.mark.parametrize("shuffled", [False, True])
def test_chunks_are_the_same(made: Path, shuffled: bool) -> None:
    for stream in (
        lambda s: s,
        lambda s: s.filter(max_examples=7),
        lambda s: s.select("mask", "words"),
        lambda s: s.shard(1, 2),
    ):
        found, wanted = (
            list((stream(split).shuffle(1) if shuffled else stream(split.stream())).chunks())
            for split in both("made", made)
        )
        assert [chunk.examples for chunk in found] == [chunk.examples for chunk in wanted]
        assert [chunk.records for chunk in found] == [chunk.records for chunk in wanted]


def test_selected_features_are_columns_in_their_order(made: Path) -> None:
    shards, copy = both("made", made)
    assert content(copy.select("pixels", "name")) == content(shards.select("pixels", "name"))
    assert next(iter(copy.select("pixels", "name"))).table().schema.names == ["pixels", "name"]
    assert content(copy.select("count").cohorts(4, 0)[0]) == content(shards.select("count").cohorts(4, 0)[0])
    with pytest.raises(UnknownKeyError, match="no feature 'nope'"):
        copy.select("nope")


def test_groups_are_slices_of_the_file_whatever_the_order(large: Path) -> None:
    _, copy = both("made", large)
    before = pa.total_allocated_bytes()
    stored = {group.id: list(group.batches()) for group in copy}
    shuffled = {group.id: list(group.batches()) for group in copy.shuffle(1)}
    assert pa.total_allocated_bytes() - before < 1 << 20 < sum(batch.nbytes for batch in stored[b"large"])
    for group_id, batches in stored.items():
        assert list(map(address, batches)) == list(map(address, shuffled[group_id]))


def test_a_large_group_comes_in_several_batches(large: Path) -> None:
    shards, copy = both("made", large)
    assert len(list(copy.group("large").batches())) > 2
    assert content(copy) == content(shards)
    [large_chunk] = [chunk for chunk in copy.stream().chunks() if chunk.is_large]
    assert sum(len(block) for block in large_chunk.blocks()) == 20
    assert content(copy.shuffle(2)) == content(shards.shuffle(2))


def test_memory_does_not_grow_with_a_group(large: Path) -> None:
    both("made", large)
    done = subprocess.run([sys.executable, "-c", MEMORY, str(large)], capture_output=True, text=True, check=True)
    read, grown = map(int, done.stdout.split())
    assert read > 20 << 20
    assert grown < 4 << 20


def test_nothing_loads_pandas(made: Path) -> None:
    done = subprocess.run([sys.executable, "-c", LIGHT, str(made)], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_open_copies_hold_no_file_handles(made: Path) -> None:
    _, copy = both("made", made)
    _ = copy.index_file
    before = len(list(Path("/dev/fd").iterdir()))
    held = [batch for group in copy for batch in group.batches()]
    assert len(held) >= copy.num_groups
    assert len(list(Path("/dev/fd").iterdir())) == before


def test_a_split_travels_to_another_process(made: Path) -> None:
    shards, copy = both("made", made)
    assert content(pickle.loads(pickle.dumps(copy))) == content(shards)
    places = [address(next(split.group("g7").batches())) for split in (copy, pickle.loads(pickle.dumps(copy)), shards)]
    assert places[0] == places[1] != places[2]


def test_reading_writes_nothing(made: Path, cache: Path) -> None:
    _, copy = both("made", made)
    before = {path: path.stat().st_mtime_ns for path in cache.rglob("*")}
    content(copy.shuffle(3))
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*")} == before


def test_groups_and_what_is_without_features_travel_and_have_their_examples(made: Path) -> None:
    shards, copy = both("made", made)
    for group, other in zip(copy.shuffle(1), shards.shuffle(1), strict=True):
        held = pickle.dumps(group)
        assert len(held) < 4 * len(pickle.dumps(other)) + 2000
        assert pickle.loads(held).table().equals(other.table())
    assert [list(group.examples()) for group in copy.select()] == [[{}] * len(group) for group in shards]


def test_a_large_group_goes_on_without_its_shard(large: Path) -> None:
    shards, copy = (split.filter(min_examples=20) for split in both("made", large))
    before, expected = shards.batches(7), list(shards.batches(7))[1:]
    next(before)
    for path in large.rglob("*.tfrecord"):
        path.unlink()
    batches = copy.batches(7)
    batches.load_state_dict(before.state_dict())
    assert pa.Table.from_batches(batches) == pa.Table.from_batches(expected)


def test_a_split_without_a_copy_is_a_split_all_the_same(two_splits: Path) -> None:
    make_arrow_copy(groupstream.open("wide", two_splits), ["train"])
    dataset = groupstream.open("wide", two_splits, arrow=True)
    assert "test" in dataset
    with pytest.raises(UsageError, match="no whole Arrow copy of split test"):
        dataset["test"]
