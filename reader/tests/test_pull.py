"""Whole versions and splits, brought to this machine: what goes well, and sources that do harm."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import groupstream
from groupstream import ConflictError, CorruptError, StoreError, UnknownKeyError, UsageError
from groupstream.manifest import Manifest
from groupstream.pulling.files import Pull
from groupstream.pulling.version import plan_pull
from groupstream.refs import Location
from groupstream.stores import LocalStore
from groupstream.testing import ReadLog, WrappedStore
from groupstream.verify import verify

BLOCK = 4096
Change = Callable[[str, int, bytes], bytes]


def files_under(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def without_claim(files: dict[str, bytes]) -> dict[str, bytes]:
    return {path: content for path, content in files.items() if path != "claim.json"}


def plan(root: Path, to: Path, change: Change, splits: list[str] | None = None) -> Pull:
    return plan_pull(Location(WrappedStore(LocalStore(root), change), "wide/1.0.0"), splits, to)


def unchanged(path: str, offset: int, data: bytes) -> bytes:
    return data


@pytest.mark.parametrize("name", ["text", "tags", "digits"])
def test_a_pulled_version_is_the_version(golden: Path, cache: Path, name: str) -> None:
    counts: list[int] = []
    dataset = groupstream.pull(name, str(golden), on_bytes=counts.append)
    assert Path(dataset.location).is_relative_to(cache / "roots")
    source = golden / name / "1.0.0"
    assert without_claim(files_under(Path(dataset.location))) == without_claim(files_under(source))
    assert verify(dataset) == dataset["train"].num_examples
    assert sum(counts) == sum(file.size_bytes for file in dataset.manifest.all_files())


def test_a_pulled_version_is_opened_by_its_ref_in_the_mirror(golden: Path, cache: Path) -> None:
    dataset = groupstream.pull("text@1.0.0", str(golden))
    mirror = Path(dataset.location).parents[1]
    assert groupstream.open("text@latest", str(mirror)).manifest == dataset.manifest


def test_a_version_is_pulled_by_its_path_to_the_same_place(golden: Path, cache: Path) -> None:
    by_ref = groupstream.pull("text", str(golden))
    by_path = groupstream.pull(golden / "text" / "1.0.0")
    assert by_path.location == by_ref.location


def test_pulled_files_can_only_be_read_and_nothing_else_is_left(two_splits: Path, tmp_path: Path) -> None:
    plan(two_splits, tmp_path / "to", unchanged).run(block_bytes=BLOCK)
    assert {p.stat().st_mode & 0o777 for p in (tmp_path / "to").rglob("*") if p.is_file()} == {0o444}
    assert not list((tmp_path / "to" / ".staging").iterdir())


def test_what_is_there_is_not_read_again(two_splits: Path, tmp_path: Path) -> None:
    log = ReadLog(tmp_path / "log")
    first = plan(two_splits, tmp_path / "to", log.note)
    assert first.missing_bytes() == first.size_bytes > 100_000
    first.run(block_bytes=BLOCK)
    assert log.num_bytes() == first.size_bytes
    assert all(length <= BLOCK for path, _, length in log.reads() if not path.endswith("manifest.json"))
    again = plan(two_splits, tmp_path / "to", log.note)
    assert again.missing_bytes() == 0
    again.run()
    assert log.num_bytes() == first.size_bytes


def test_splits_are_added_to_those_that_are_there(two_splits: Path, tmp_path: Path) -> None:
    log = ReadLog(tmp_path / "log")
    only_test = plan(two_splits, tmp_path / "to", log.note, ["test"])
    only_test.run(block_bytes=BLOCK)
    assert not list(only_test.folder.glob("train*"))
    pulled = groupstream.open(only_test.folder)
    expected = groupstream.open("wide", str(two_splits))
    assert [g.id for g in pulled["test"]] == [g.id for g in expected["test"]]
    with pytest.raises(CorruptError, match=r"train.*is missing"):
        list(pulled["train"])
    read_before = log.num_bytes()
    both = plan(two_splits, tmp_path / "to", log.note)
    both.run(block_bytes=BLOCK)
    assert log.num_bytes("tfrecord") == sum(f.size_bytes for f in both.files if f.path.endswith("tfrecord"))
    assert log.num_bytes() - read_before == both.size_bytes - only_test.size_bytes
    assert verify(groupstream.open(both.folder)) == 360


def test_a_split_that_is_not_there_is_named(two_splits: Path, cache: Path) -> None:
    with pytest.raises(UnknownKeyError, match=r"wide@1.0.0 has no split 'tset'; it has test, train"):
        groupstream.pull("wide", str(two_splits), splits=["tset"])
    assert not cache.exists()


def test_a_version_is_not_pulled_onto_itself(two_splits: Path) -> None:
    with pytest.raises(UsageError, match=r"wide@1.0.0 lies in .* already; choose another folder"):
        groupstream.pull("wide", str(two_splits), to=two_splits)


def test_a_version_is_pulled_to_this_machine_only(two_splits: Path) -> None:
    with pytest.raises(UsageError, match=r"a folder of this machine, which gs://bucket/x is not"):
        groupstream.pull("wide", str(two_splits), to="gs://bucket/x")


class FlipsBytes:
    """Returns one wrong bit in the first reads of a block of a file."""

    def __init__(self, ending: str, times: int) -> None:
        self.ending = ending
        self.times = times

    def __call__(self, path: str, offset: int, data: bytes) -> bytes:
        if not path.endswith(self.ending) or offset != BLOCK or not self.times:
            return data
        self.times -= 1
        return bytes([data[0] ^ 1]) + data[1:]


def test_wrong_bytes_are_found_and_brought_once_more(two_splits: Path, tmp_path: Path) -> None:
    log, flips = ReadLog(tmp_path / "log"), FlipsBytes("train-00001-of-00003.tfrecord", times=1)
    planned = plan(two_splits, tmp_path / "to", lambda *read: flips(*read[:2], log.note(*read)))
    planned.run(block_bytes=BLOCK)
    wrong = next(file for file in planned.files if file.path.endswith("train-00001-of-00003.tfrecord"))
    assert log.num_bytes() == planned.size_bytes + wrong.size_bytes
    assert verify(groupstream.open(planned.folder)) == 360


def test_a_source_that_is_always_wrong_is_one_line(two_splits: Path, tmp_path: Path) -> None:
    planned = plan(two_splits, tmp_path / "to", FlipsBytes("train-00001-of-00003.tfrecord", times=99))
    with pytest.raises(CorruptError, match=r"train-00001-of-00003.tfrecord has crc32c \w+ where its manifest") as error:
        planned.run(block_bytes=BLOCK)
    assert "it was downloaded twice. Check it where it lies with: groupstream verify" in str(error.value)
    assert_nothing_broken(planned, two_splits)
    assert not list(planned.staging.glob("train-00001*"))


class Fails:
    """Raises in the read of that number, counted from 1, and in all after it."""

    def __init__(self, number: int, error: Exception) -> None:
        self.number = number
        self.error = error

    def __call__(self, path: str, offset: int, data: bytes) -> bytes:
        if path.endswith("manifest.json"):
            return data
        self.number -= 1
        if self.number <= 0:
            raise self.error
        return data


@pytest.mark.parametrize("number", [1, 2, 9, 30])
@pytest.mark.parametrize(
    ("error", "message"),
    [
        (StoreError("gs://bucket says no"), "^gs://bucket says no$"),
        (ConnectionResetError("reset by peer"), r"cannot read .*: reset by peer. What was pulled so far is kept: pull"),
    ],
)
def test_a_source_that_fails_midway_costs_no_byte_twice(
    two_splits: Path, tmp_path: Path, number: int, error: Exception, message: str
) -> None:
    log, fails = ReadLog(tmp_path / "log"), Fails(number, error)
    planned = plan(two_splits, tmp_path / "to", lambda *read: log.note(*read[:2], fails(*read)))
    with pytest.raises(StoreError, match=message):
        planned.run(block_bytes=BLOCK, connections=2)
    assert_nothing_broken(planned, two_splits)
    came = log.num_bytes()
    assert planned.missing_bytes(BLOCK) == planned.size_bytes - came
    plan(two_splits, tmp_path / "to", log.note).run(block_bytes=BLOCK)
    assert log.num_bytes() == planned.size_bytes
    assert verify(groupstream.open(planned.folder)) == 360


def test_a_file_that_is_cut_or_missing_at_the_source_is_one_line(two_splits: Path, tmp_path: Path) -> None:
    path = two_splits / "wide" / "1.0.0" / "test-00000-of-00002.tfrecord"
    content = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(content[:-1])
    planned = plan(two_splits, tmp_path / "to", unchanged)
    with pytest.raises(CorruptError, match=rf"{path} ends at byte [\d,]+, its manifest says that it goes on to byte"):
        planned.run(block_bytes=BLOCK)
    assert_nothing_broken(planned, two_splits)
    path.unlink()
    with pytest.raises(CorruptError, match=rf"{path} is missing where it was published"):
        planned.run(block_bytes=BLOCK)
    path.write_bytes(content)
    planned.run(block_bytes=BLOCK)
    assert verify(groupstream.open(planned.folder)) == 360


def assert_nothing_broken(planned: Pull, root: Path) -> None:
    """What has its final name is whole; it is no version yet."""
    source = files_under(root / "wide" / "1.0.0")
    pulled = without_claim(files_under(planned.folder))
    assert "manifest.json" not in pulled
    assert pulled == {path: source[path] for path in pulled}


def republish(root: Path) -> None:
    """The same name and number, another manifest."""
    path = root / "wide" / "1.0.0" / "manifest.json"
    fields = json.loads(path.read_bytes())
    path.unlink()
    path.write_bytes(Manifest.model_validate({**fields, "description": "anew"}).to_json())


@pytest.mark.parametrize("splits", [None, ["test"]])
def test_a_version_that_was_published_anew_is_not_mixed_with_the_old_one(
    two_splits: Path, tmp_path: Path, splits: list[str] | None
) -> None:
    planned = plan(two_splits, tmp_path / "to", unchanged, splits)
    planned.run()
    before = files_under(planned.folder)
    republish(two_splits)
    with pytest.raises(ConflictError, match=r"wide/1.0.0 is not what was pulled to .*Remove that folder and pull"):
        plan(two_splits, tmp_path / "to", unchanged).run()
    assert files_under(planned.folder) == before
    shutil.rmtree(planned.folder)
    plan(two_splits, tmp_path / "to", unchanged).run()


def test_what_a_pull_of_an_older_manifest_left_is_not_used(two_splits: Path, tmp_path: Path) -> None:
    old = plan(two_splits, tmp_path / "to", Fails(20, StoreError("away")))
    with pytest.raises(StoreError):
        old.run(block_bytes=BLOCK)
    assert old.staging.is_dir()
    republish(two_splits)
    with pytest.raises(ConflictError):
        plan(two_splits, tmp_path / "to", unchanged).run()
    shutil.rmtree(old.folder)
    new = plan(two_splits, tmp_path / "to", unchanged)
    assert new.missing_bytes(BLOCK) == new.size_bytes
    new.run()
    assert not list((tmp_path / "to" / ".staging").iterdir())


def test_a_version_that_somebody_builds_there_is_left_alone(two_splits: Path, tmp_path: Path) -> None:
    claim = tmp_path / "to" / "wide" / "1.0.0" / "claim.json"
    claim.parent.mkdir(parents=True)
    claim.write_text('{"digest": "of another build"}')
    with pytest.raises(ConflictError, match="or the folder is of another build"):
        plan(two_splits, tmp_path / "to", unchanged).run()
    assert [p.name for p in claim.parent.iterdir()] == ["claim.json"]


def test_a_pulled_file_of_another_size_is_named(two_splits: Path, tmp_path: Path) -> None:
    planned = plan(two_splits, tmp_path / "to", unchanged)
    planned.run()
    path = planned.folder / "features.json"
    path.chmod(0o644)
    path.write_bytes(b"{}")
    with pytest.raises(CorruptError, match=rf"{path} has 2 bytes, its manifest says \d+: it was changed. Remove it"):
        plan(two_splits, tmp_path / "to", unchanged).run()


@pytest.fixture
def size(golden: Path) -> int:
    """Of all files of text@1.0.0, in bytes; its card may be another one tomorrow."""
    manifest = groupstream.open(golden / "text" / "1.0.0").manifest
    return sum(file.size_bytes for file in manifest.all_files())


def test_the_command_says_where_it_is_and_what_to_type_next(cache: Path, shown: Any, size: int) -> None:
    first, second = shown("pull", "text").splitlines()
    folder = next(cache.glob("roots/*/text/1.0.0"))
    assert first == f"text@1.0.0 (train) is in {folder}: {size:,} of {size:,} bytes came now and were checked"
    assert second == f"Look at it with: groupstream head {folder}"
    assert "all was there" in shown("pull", "text")
    assert json.loads(shown("pull", "text", "--json")) == {
        "ref": "text@1.0.0",
        "splits": ["train"],
        "folder": str(folder),
        "bytes": size,
        "downloaded_bytes": 0,
        "dry_run": False,
    }


def test_the_command_can_say_what_would_come(cache: Path, shown: Any, size: int) -> None:
    said = shown("pull", "text", "--dry-run")
    assert said.startswith(f"text@1.0.0 (train): {size:,} of {size:,} bytes would come to {cache}/roots/")
    assert said.endswith("/text/1.0.0; nothing was written\n")
    assert not cache.exists()


def test_the_command_brings_the_groups_of_a_file(cache: Path, tmp_path: Path, shown: Any) -> None:
    (tmp_path / "ids").write_text("Łukasz Żółw\r\n\nAda Lovelace\n")
    shown("pull", "text", "--groups-file", str(tmp_path / "ids"), "--to", str(tmp_path / "to"))
    small = groupstream.open(tmp_path / "to" / "text" / "1.0.0")
    assert sorted(group.name for group in small["train"]) == ["Ada Lovelace", "Łukasz Żółw"]


def test_with_arrow_what_came_is_read_from_its_arrow_copy(two_splits: Path, cache: Path) -> None:
    expected = groupstream.open("wide", str(two_splits))
    here = groupstream.pull("wide", str(two_splits), arrow=True)
    assert here.location == expected.location
    assert not (cache / "roots").exists()
    some = groupstream.pull("wide", str(two_splits), to=cache / "elsewhere", splits=["test"], arrow=True)
    assert some.location == str(cache / "elsewhere" / "wide" / "1.0.0")
    assert [list(g.examples()) for g in some["test"]] == [list(g.examples()) for g in expected["test"]]
    assert [list(g.examples()) for g in here["train"]] == [list(g.examples()) for g in expected["train"]]
    assert list((cache / "arrow").iterdir())
