"""The Arrow copy: the same examples as from the shards, whatever the order; and nothing wrong is ever read from it."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import groupstream
from groupstream import CorruptError, Dataset, Feature, PublishError, Split, UnknownKeyError, UsageError
from groupstream.arrow_copy import arrow_folders, make_arrow_copy, plan_arrow_copy
from groupstream.arrow_reader import ArrowFile
from groupstream.cached_folder import is_whole
from groupstream.refs import Location
from groupstream.stores import LocalStore
from groupstream.testing.wrapped_stores import WrappedStore

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
LIMITED = """
import resource, sys, groupstream
from groupstream.arrow_copy import plan_arrow_copy
root, limit = sys.argv[1:]
planned = plan_arrow_copy(groupstream.open("made", root))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
try:
    planned.run()
except Exception as error:
    print(type(error).__name__, error)
"""
MAKE = """
import sys, groupstream
from groupstream.arrow_copy import make_arrow_copy
print("begun", flush=True)
make_arrow_copy(groupstream.open("made", sys.argv[1]))
"""
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


def folders_of(dataset: Dataset) -> list[Path]:
    return [folder for folder in arrow_folders(dataset.manifest, "train") if folder is not None]


def left_in(cache: Path) -> list[str]:
    return sorted(path.name for path in (cache / "arrow").iterdir())


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


def test_without_a_copy_the_command_is_named(golden: Path, cache: Path) -> None:
    groupstream.open("text", str(golden))
    message = (
        rf"^text@1\.0\.0 has no whole Arrow copy of split train in {cache}/arrow; "
        r"make it with: groupstream pull text@1\.0\.0 --arrow$"
    )
    with pytest.raises(UsageError, match=message):
        groupstream.open("text", str(golden), arrow=True)
    dataset = groupstream.open("text", str(golden))
    make_arrow_copy(dataset, ["train"])
    shutil.rmtree(folders_of(dataset)[-1])
    with pytest.raises(UsageError, match="no whole Arrow copy"):
        groupstream.open("text", str(golden), arrow=True)


def test_an_unknown_split_is_not_copied(golden: Path, cache: Path) -> None:
    with pytest.raises(UnknownKeyError, match=r"^text@1\.0\.0 has no split 'tran'; it has train$"):
        make_arrow_copy(groupstream.open("text", str(golden)), ["tran"])
    assert not cache.exists()


def test_the_plan_tells_what_will_be_written(made: Path, cache: Path) -> None:
    dataset = groupstream.open("made", str(made))
    planned = plan_arrow_copy(dataset)
    assert not cache.exists()
    assert planned.source_bytes == sum(shard.size_bytes for shard in dataset.manifest.splits["train"].shards)
    counts: list[int] = []
    planned.run(counts.append)
    assert sum(counts) == planned.source_bytes
    values = sum(group.table().nbytes for group in dataset["train"])
    assert 0.5 * values < planned.num_bytes < 2 * values
    assert plan_arrow_copy(dataset).num_bytes == 0
    make_arrow_copy(groupstream.open("made", str(made), arrow=True))


def test_room_is_looked_for_first(made: Path, cache: Path) -> None:
    planned = plan_arrow_copy(groupstream.open("made", str(made)))
    message = (
        rf"^the Arrow copy of made@1\.0\.0 needs about {planned.num_bytes:,} bytes in {cache}/arrow, 7 are free "
        r"there\. Make room, copy fewer splits, or choose another cache with \$GROUPSTREAM_CACHE$"
    )
    with pytest.raises(PublishError, match=message):
        planned.run(free_bytes=lambda folder: 7)
    assert not cache.exists()


def test_a_disk_that_fills_is_one_line(large: Path, cache: Path) -> None:
    command = [sys.executable, "-c", LIMITED, str(large), str(5 << 20)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == (
        f"PublishError cannot write the Arrow copy to {cache}/arrow: File too large. Make room or allow writing "
        "there, or choose another cache with $GROUPSTREAM_CACHE; shards that are done are kept\n"
    )
    assert not done.stderr
    assert left_in(cache) == []


def test_a_cache_that_cannot_be_written_is_one_line(made: Path, cache: Path) -> None:
    cache.write_text("a file")
    with pytest.raises(
        PublishError, match=rf"^cannot write the Arrow copy to {cache}/arrow: Not a directory\. Make room"
    ):
        make_arrow_copy(groupstream.open("made", str(made)))


def test_a_kill_leaves_no_copy_and_the_next_makes_it(large: Path, cache: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", MAKE, str(large)], stdout=subprocess.PIPE) as process:
        while not list(cache.glob("arrow/.*.making/examples.arrow")):
            assert process.poll() is None
        process.kill()
    dataset = groupstream.open("made", str(large))
    assert [name for name in left_in(cache) if not name.startswith(".")] == []
    with pytest.raises(UsageError, match="no whole Arrow copy"):
        groupstream.open("made", str(large), arrow=True)
    shards, copy = both("made", large)
    assert content(copy) == content(shards)
    assert left_in(cache) == [folder.name for folder in folders_of(dataset)]


def test_two_processes_make_one_copy(large: Path, cache: Path) -> None:
    processes = [subprocess.Popen([sys.executable, "-c", MAKE, str(large)], stdout=subprocess.PIPE) for _ in range(2)]
    for process in processes:
        process.communicate()
    assert [process.returncode for process in processes] == [0, 0]
    [folder] = folders_of(groupstream.open("made", str(large)))
    assert left_in(cache) == [folder.name]
    assert is_whole(folder)


def test_every_flipped_byte_is_found_or_not_read(golden: Path) -> None:
    dataset = groupstream.open("tags", str(golden))
    make_arrow_copy(dataset)
    folder = folders_of(dataset)[0]
    rows = dataset["train"].group_table(["shard_index", "offset_bytes"]).to_pylist()
    offsets = np.array([row["offset_bytes"] for row in rows if row["shard_index"] == 0])
    wanted = _all_of(folder, dataset, offsets)
    num_found = 0
    for path in folder.iterdir():
        data = path.read_bytes()
        for place in range(0, len(data), 3):
            path.write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
            assert not is_whole(folder)
            found = _all_of(folder, dataset, offsets)
            assert found in (None, wanted)
            num_found += found is None
        path.write_bytes(data)
    assert num_found > 300


def _all_of(folder: Path, dataset: Dataset, offsets: np.ndarray) -> list[Any] | None:
    """All that is in the copy of the first shard; None where it is refused."""
    try:
        file = ArrowFile(folder, dataset.features)
        batches = [file.batch(i) for i in range(len(file.starts))]
        return [batches, file.starts, file.first_rows(offsets).tolist()]
    except CorruptError:
        return None


@pytest.mark.parametrize("name", ["examples.arrow", "batches.npy", "group_first_rows.npy", "checksums.json"])
@pytest.mark.parametrize("harm", ["cut", "flip", "remove"])
def test_damage_is_refused_and_mended(made: Path, name: str, harm: str) -> None:
    dataset = groupstream.open("made", str(made))
    make_arrow_copy(dataset)
    copy = groupstream.open("made", str(made), arrow=True)["train"]
    path = folders_of(dataset)[0] / name
    data = path.read_bytes()
    path.unlink()
    if harm == "cut":
        path.write_bytes(data[:-1])
    elif harm == "flip":
        middle = len(data) // 2
        path.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
    with pytest.raises(CorruptError, match=r"groupstream pull REF --arrow$"):
        content(copy)
    shards, mended = both("made", made)
    assert content(mended) == content(shards)


@pytest.mark.parametrize("which", [0, -1])
def test_a_shard_with_a_wrong_byte_is_not_copied(golden_copy: Path, cache: Path, which: int) -> None:
    dataset = groupstream.open("text", str(golden_copy))
    shards, folders = dataset.manifest.splits["train"].shards, arrow_folders(dataset.manifest, "train")
    path = golden_copy / "text" / "1.0.0" / shards[which].path
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptError, match=r"groupstream verify REF$"):
        make_arrow_copy(dataset)
    assert folders[which] is not None
    assert not folders[which].exists()
    assert [path for path in cache.rglob("*") if path.name.startswith(".")] == []


def test_a_shard_of_another_version_is_not_copied(make_version: Callable[..., Path], cache: Path) -> None:
    """Its CRCs are right and its sizes too; the SHA-256 is not the one of the manifest."""
    features, ids = {"x": Feature(dtype="int64")}, [b"a", b"a", b"b"]
    roots = [
        make_version([{"x": x} for x in xs], ids, features, name=name, num_shards=1) for name, xs in _SIBLINGS.items()
    ]
    ours, other = (groupstream.open(name, str(root)) for name, root in zip(_SIBLINGS, roots, strict=True))
    path = ours.manifest.splits["train"].shards[0].path
    swapped = WrappedStore(LocalStore(roots[0]), lambda name, offset, data: _swapped(other, name, offset, data))
    dataset = Dataset(Location(swapped, "ours/1.0.0"), ours.manifest)
    with pytest.raises(
        CorruptError, match=rf"{path} has sha256 [0-9a-f]{{64}}, its manifest says [0-9a-f]{{64}}\. Pull"
    ):
        make_arrow_copy(dataset)
    assert left_in(cache) == []
    make_arrow_copy(ours)


_SIBLINGS = {"ours": [1, 2, 3], "other": [3, 2, 1]}


def _swapped(other: Dataset, name: str, offset: int, data: bytes) -> bytes:
    return other.read_file(Path(name).name, offset, len(data)) if name.endswith(".tfrecord") else data


def test_versions_with_other_features_have_copies_of_their_own(golden: Path) -> None:
    manifest = groupstream.open("text", str(golden)).manifest
    fewer = manifest.model_copy(update={"features": dict(list(manifest.features.items())[:-1])})
    assert not set(arrow_folders(manifest, "train")) & set(arrow_folders(fewer, "train"))
