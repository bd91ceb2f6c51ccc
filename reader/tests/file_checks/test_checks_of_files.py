"""Each check of files, sums and the manifest is seen to fail, alone where only one can tell, and to pass otherwise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import groupstream
from groupstream import Feature
from groupstream.manifest import canonical_json
from groupstream.verify import check_files

NAMES = ["manifest", "files", "checksums", "sums of the index", "order of the index", "label tables", "groups"]
SHARD = "train-00000-of-00002.tfrecord"

Change = Callable[[dict[str, Any]], None]


@pytest.mark.parametrize("name", ["text", "tags", "digits"])
@pytest.mark.parametrize("full", [True, False])
def test_a_version_as_it_was_written_passes_all(golden: Path, name: str, full: bool) -> None:
    results = check_files(groupstream.open(name, str(golden)), full=full)
    assert [result.name for result in results if result.passed] == NAMES


def test_results_say_how_much_was_looked_at(two_splits: Path, results_of: Callable) -> None:
    observed = {name: result.observed for name, result in results_of(two_splits / "wide" / "1.0.0").items()}
    assert observed["manifest"] == "format 1, 9 files in 2 splits"
    assert observed["sums of the index"] == "360 examples of 42 groups"
    assert observed["order of the index"] == "42 groups in 5 shards"
    assert observed["groups"].startswith("42 groups, ")


def test_a_changed_byte_of_a_shard_fails_two_checks(folder: Path, failed_in: Callable, flip_a_bit: Callable) -> None:
    path = folder / SHARD
    flip_a_bit(path, path.stat().st_size - 9)
    failed = failed_in(folder)
    assert set(failed) == {"checksums", "groups"}
    assert failed["checksums"][0].startswith(f"{SHARD}: crc32c ")
    assert failed["groups"][0].startswith("group '") and "CRC of the data" in failed["groups"][0]
    assert f"{SHARD}, byte " in failed["groups"][0], "where it lies in the version"


def test_a_changed_byte_of_a_small_file_fails_one(folder: Path, failed_in: Callable, flip_a_bit: Callable) -> None:
    path = folder / "features.json"
    flip_a_bit(path, 5)
    failed = failed_in(folder)
    assert set(failed) == {"checksums"} and failed["checksums"][0].startswith("features.json: crc32c ")


def test_a_shard_that_is_cut_fails_three(folder: Path, failed_in: Callable) -> None:
    path = folder / SHARD
    path.write_bytes(path.read_bytes()[:-1])
    failed = failed_in(folder)
    assert set(failed) == {"files", "checksums", "groups"}
    assert failed["files"] == (f"{SHARD}: size_bytes {path.stat().st_size}, not {path.stat().st_size + 1}",)


@pytest.mark.parametrize("name", [SHARD, "features.json"])
def test_a_file_that_is_missing_fails_and_the_others_are_checked(folder: Path, name: str, failed_in: Callable) -> None:
    (folder / name).unlink()
    failed = failed_in(folder)
    assert set(failed) == {"files", "checksums"} | ({"groups"} if name == SHARD else set())
    assert failed["files"] == (f"{name}: is missing",)
    assert failed["checksums"] == (f"{name}: cannot be read",)


def test_files_that_the_manifest_does_not_name_are_told_and_pass(folder: Path, results_of: Callable) -> None:
    (folder / "notes\x1b[31m.txt").write_bytes(b"")
    (folder / "deep").mkdir()
    (folder / "deep" / "more").write_bytes(b"")
    result = results_of(folder)["files"]
    assert result.passed
    assert r"2 more in the folder that the manifest does not name: deep/more, notes\x1b[31m.txt" in result.observed


def test_a_manifest_that_changed_since_it_was_opened_fails(folder: Path, resign: Callable) -> None:
    dataset = groupstream.open(folder)
    resign(folder, lambda fields: fields.update(description="another"))
    assert [result.name for result in check_files(dataset, full=True) if not result.passed] == ["manifest"]
    (folder / "manifest.json").write_bytes(b"{}")
    [result] = [result for result in check_files(dataset, full=True) if not result.passed]
    assert result.offenders[0].startswith("manifest.json: is not a manifest")


def leave_out_a_shard(fields: dict[str, Any]) -> None:
    del fields["splits"]["train"]["shards"][0]


def name_a_file_twice(fields: dict[str, Any]) -> None:
    fields["files"].append(fields["files"][0])


def name_itself(fields: dict[str, Any]) -> None:
    fields["files"].append({**fields["files"][0], "path": "./manifest.json"})


def spoil_a_checksum(fields: dict[str, Any]) -> None:
    fields["files"][0]["sha256"] = "0"


@pytest.mark.parametrize(
    ("change", "offender"),
    [
        (leave_out_a_shard, "split train has train-00001-of-00002.tfrecord as number 0 of 1 shards"),
        (name_a_file_twice, "twice"),
        (name_itself, "it names ./manifest.json twice, or as a file of its own"),
        (spoil_a_checksum, "is no size with a CRC32C and a SHA-256"),
    ],
)
def test_a_manifest_that_is_not_complete_fails(
    folder: Path, change: Change, offender: str, failed_in: Callable, resign: Callable
) -> None:
    resign(folder, change)
    assert offender in failed_in(folder)["manifest"][0]


def count_wrongly(**path_to_value: int) -> Change:
    def change(fields: dict[str, Any]) -> None:
        for path, amount in path_to_value.items():
            *inner, last = path.split("__")
            place: Any = fields
            for key in inner:
                place = place[int(key) if isinstance(place, list) else key]
            place[last] += amount

    return change


@pytest.mark.parametrize(
    ("change", "offender"),
    [
        (count_wrongly(splits__train__statistics__num_words=1), "train.groups.parquet: num_words "),
        (count_wrongly(splits__train__statistics__group_sizes__p50=1), "train.groups.parquet: group_sizes p10 "),
        (count_wrongly(splits__train__shards__1__num_groups=1), "train-00001-of-00002.tfrecord: "),
        (count_wrongly(splits__train__shards__0__num_examples=-1), f"{SHARD}: "),
        (count_wrongly(counts__examples_out=1, counts__examples_in=1), "manifest.json: examples_in make "),
        (count_wrongly(counts__examples_in=1), "manifest.json: examples_in make "),
        (count_wrongly(counts__examples_out=1), "manifest.json: examples_out make "),
    ],
)
def test_a_wrong_count_fails_one_check(
    folder: Path, change: Change, offender: str, failed_in: Callable, resign: Callable
) -> None:
    resign(folder, change)
    failed = failed_in(folder)
    assert set(failed) == {"sums of the index"}
    assert failed["sums of the index"][0].startswith(offender)


def test_results_are_the_same_each_time_and_json(folder: Path) -> None:
    (folder / SHARD).write_bytes(b"")
    first, second = (check_files(groupstream.open(folder), full=True) for _ in range(2))
    assert first == second
    assert canonical_json([result.model_dump(mode="json") for result in first])
    assert not [offender for result in first for offender in result.offenders if str(folder) in offender]


@pytest.mark.parametrize("sample_bytes", [1, 1 << 20])
def test_shards_without_a_group_pass(make_version: Any, sample_bytes: int) -> None:
    root = make_version([{"n": 1}, {"n": 2}], [b"a", b"b"], {"n": Feature(dtype="int64")}, num_shards=9)
    results = check_files(groupstream.open("made", str(root)), full=False, sample_bytes=sample_bytes)
    assert [result.name for result in results if result.passed] == NAMES


def test_a_split_without_a_shard_fails_and_nothing_crashes(folder: Path, failed_in: Callable, resign: Callable) -> None:
    resign(folder, lambda fields: fields["splits"]["train"].update(shards=[]))
    failed = failed_in(folder)
    assert set(failed) == {"manifest", "order of the index", "groups"}
    assert failed["manifest"] == ("manifest.json: split train has no shard",)
