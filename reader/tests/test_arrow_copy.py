"""Making the Arrow copy: whole or not at all, whatever happens; and nothing wrong is ever read from it."""

from __future__ import annotations

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
from groupstream.testing import WrappedStore

pytestmark = pytest.mark.usefixtures("cache")

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


@pytest.fixture
def large(make_version: Callable[..., Path]) -> Path:
    """A root with a group of 20 MiB, and small ones."""
    examples = [{"x": bytes([i]) * (1 << 20)} for i in range(20)] + [{"x": bytes([i])} for i in range(100)]
    ids = [b"large"] * 20 + [b"small-%d" % (i % 9) for i in range(100)]
    return make_version(examples, ids, {"x": Feature(dtype="bytes")}, num_shards=1)


def both(name: str, root: Path) -> tuple[Split, Split]:
    """The split `train`, read from the shards and from a copy that is made now."""
    dataset = groupstream.open(name, str(root))
    make_arrow_copy(dataset)
    return dataset["train"], groupstream.open(name, str(root), arrow=True)["train"]


def content(groups: Any) -> list[tuple[bytes, int, pa.Table]]:
    return [(group.id, group.num_bytes, group.table()) for group in groups]


def folders_of(dataset: Dataset) -> list[Path]:
    return [folder for folder in arrow_folders(dataset.manifest, "train") if folder is not None]


def left_in(cache: Path) -> list[str]:
    return sorted(path.name for path in (cache / "arrow").iterdir())


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


def test_the_plan_tells_what_will_be_written(two_splits: Path, cache: Path) -> None:
    dataset = groupstream.open("wide", str(two_splits))
    planned = plan_arrow_copy(dataset)
    assert not cache.exists()
    assert planned.source_bytes == sum(shard.size_bytes for split in dataset.values() for shard in split.info.shards)
    counts: list[int] = []
    planned.run(counts.append)
    assert sum(counts) == planned.source_bytes
    values = sum(group.table().nbytes for split in dataset.values() for group in split)
    assert 0.5 * values < planned.num_bytes < 2 * values
    assert plan_arrow_copy(dataset).num_bytes == 0
    make_arrow_copy(groupstream.open("wide", str(two_splits), arrow=True))


def test_room_is_looked_for_first(two_splits: Path, cache: Path) -> None:
    planned = plan_arrow_copy(groupstream.open("wide", str(two_splits)))
    message = (
        rf"^the Arrow copy of wide@1\.0\.0 needs about {planned.num_bytes:,} bytes in {cache}/arrow, 7 are free "
        r"there\. Make room, copy fewer splits, or choose another cache with \$GROUPSTREAM_CACHE$"
    )
    with pytest.raises(PublishError, match=message):
        planned.run(free_bytes=lambda folder: 7)
    assert not cache.exists()


def test_a_disk_that_fills_is_one_line(large: Path, cache: Path) -> None:
    command = [sys.executable, "-c", LIMITED, str(large), str(5 << 20)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == (
        f"PublishError cannot write to {cache}/arrow: File too large. Make room or allow writing "
        "there, or choose another cache with $GROUPSTREAM_CACHE; shards that are done are kept\n"
    )
    assert not done.stderr
    assert left_in(cache) == []


def test_a_cache_that_cannot_be_written_is_one_line(two_splits: Path, cache: Path) -> None:
    cache.write_text("a file")
    with pytest.raises(PublishError, match=rf"^cannot write to {cache}/arrow: Not a directory\. Make room"):
        make_arrow_copy(groupstream.open("wide", str(two_splits)))


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
def test_damage_is_refused_and_mended(two_splits: Path, name: str, harm: str) -> None:
    dataset = groupstream.open("wide", str(two_splits))
    make_arrow_copy(dataset)
    copy = groupstream.open("wide", str(two_splits), arrow=True)["train"]
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
    shards, mended = both("wide", two_splits)
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
