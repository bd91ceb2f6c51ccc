"""Each check of the files is seen to fail, alone where only one can tell, and to pass otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import groupstream
from groupstream import CorruptError, Feature
from groupstream.commit import describe_file
from groupstream.group_table import LABEL_SCHEMA, write_group_table
from groupstream.manifest import CheckResult, Manifest, canonical_json
from groupstream.verify import check_files, verify

NAMES = ["manifest", "files", "checksums", "sums of the index", "order of the index", "label tables", "groups"]
OF_INDEX = {"sums of the index", "order of the index", "label tables", "groups"}
SHARD = "train-00000-of-00002.tfrecord"

Change = Callable[[dict[str, Any]], None]


@pytest.fixture
def folder(golden_copy: Path) -> Path:
    """digits@1.0.0: two shards, three groups with labels. To be broken."""
    return golden_copy / "digits" / "1.0.0"


def results_of(folder: Path) -> dict[str, CheckResult]:
    results = {result.name: result for result in check_files(groupstream.open(folder), full=True)}
    assert list(results) == NAMES
    assert all(len(result.offenders) <= 5 and result.kind == "files" for result in results.values())
    assert all(bool(result.offenders) != result.passed for result in results.values())
    return results


def failed_in(folder: Path) -> dict[str, tuple[str, ...]]:
    """The offenders of each check that failed."""
    return {name: result.offenders for name, result in results_of(folder).items() if not result.passed}


def resign(folder: Path, change: Change = lambda fields: None, **contents: bytes) -> None:
    """Writes files and a manifest that describes them, as a builder with a fault would.

    Args:
        contents: of files, by the beginning of the name.
    """
    fields = json.loads((folder / "manifest.json").read_bytes())
    for split in fields["splits"].values():
        for file in (*split["shards"], split["group_table"], *fields["files"]):
            for name, content in contents.items():
                if file["path"].replace(".", "_").replace("-", "_").startswith(name):
                    (folder / file["path"]).write_bytes(content)
                    file.update(describe_file(file["path"], content).model_dump())
    change(fields)
    (folder / "manifest.json").write_bytes(Manifest.model_validate(fields).to_json())


def flipped(content: bytes, position: int) -> bytes:
    return content[:position] + bytes([content[position] ^ 4]) + content[position + 1 :]


@pytest.mark.parametrize("name", ["text", "tags", "digits"])
@pytest.mark.parametrize("full", [True, False])
def test_a_version_as_it_was_written_passes_all(golden: Path, name: str, full: bool) -> None:
    results = check_files(groupstream.open(name, str(golden)), full=full)
    assert [result.name for result in results if result.passed] == NAMES


def test_results_say_how_much_was_looked_at(two_splits: Path) -> None:
    observed = {name: result.observed for name, result in results_of(two_splits / "wide" / "1.0.0").items()}
    assert observed["manifest"] == "format 1, 9 files in 2 splits"
    assert observed["sums of the index"] == "360 examples of 42 groups"
    assert observed["order of the index"] == "42 groups in 5 shards"
    assert observed["groups"].startswith("42 groups, ")


def test_a_changed_byte_of_a_shard_fails_two_checks(folder: Path) -> None:
    path = folder / SHARD
    path.write_bytes(flipped(path.read_bytes(), path.stat().st_size - 9))
    failed = failed_in(folder)
    assert set(failed) == {"checksums", "groups"}
    assert failed["checksums"][0].startswith(f"{SHARD}: crc32c ")
    assert failed["groups"][0].startswith("group '") and "CRC of the data" in failed["groups"][0]
    assert f"{SHARD}, byte " in failed["groups"][0], "where it lies in the version"


def test_a_changed_byte_of_a_small_file_fails_one(folder: Path) -> None:
    path = folder / "features.json"
    path.write_bytes(flipped(path.read_bytes(), 5))
    failed = failed_in(folder)
    assert set(failed) == {"checksums"} and failed["checksums"][0].startswith("features.json: crc32c ")


def test_a_shard_that_is_cut_fails_three(folder: Path) -> None:
    path = folder / SHARD
    path.write_bytes(path.read_bytes()[:-1])
    failed = failed_in(folder)
    assert set(failed) == {"files", "checksums", "groups"}
    assert failed["files"] == (f"{SHARD}: size_bytes {path.stat().st_size}, not {path.stat().st_size + 1}",)


@pytest.mark.parametrize("name", [SHARD, "features.json"])
def test_a_file_that_is_missing_fails_and_the_others_are_checked(folder: Path, name: str) -> None:
    (folder / name).unlink()
    failed = failed_in(folder)
    assert set(failed) == {"files", "checksums"} | ({"groups"} if name == SHARD else set())
    assert failed["files"] == (f"{name}: is missing",)
    assert failed["checksums"] == (f"{name}: cannot be read",)


def test_without_the_index_the_files_are_still_checked(folder: Path) -> None:
    (folder / "train.groups.parquet").unlink()
    failed = failed_in(folder)
    assert set(failed) == {"files", "checksums", *OF_INDEX}
    assert "train.groups.parquet: cannot be read" in failed["groups"]


def test_an_index_with_a_changed_byte_is_not_believed(folder: Path) -> None:
    path = folder / "train.groups.parquet"
    path.write_bytes(flipped(path.read_bytes(), 30))
    assert set(failed_in(folder)) == {"checksums", *OF_INDEX}


@pytest.mark.parametrize("content", [b"", b"PAR1" * 20])
def test_an_index_that_is_no_table_is_a_fault_and_no_crash(folder: Path, content: bytes) -> None:
    resign(folder, train_groups=content)
    assert set(failed_in(folder)) == OF_INDEX


def test_an_index_without_a_column_is_a_fault_and_no_crash(folder: Path) -> None:
    table = pq.read_table(folder / "train.groups.parquet").drop_columns(["num_words"])
    pq.write_table(table, folder / "other")
    resign(folder, train_groups=(folder / "other").read_bytes())
    assert set(failed_in(folder)) == OF_INDEX - {"label tables"}


def test_an_index_with_a_null_is_a_fault_and_no_crash(folder: Path) -> None:
    table = pq.read_table(folder / "train.groups.parquet")
    words = pa.array([None, *table["num_words"].to_pylist()[1:]], pa.int64())
    pq.write_table(table.drop_columns(["num_words"]).append_column("num_words", words), folder / "other")
    resign(folder, train_groups=(folder / "other").read_bytes())
    assert set(failed_in(folder)) == OF_INDEX - {"label tables"}
    with pytest.raises(CorruptError, match="has no column num_words of type int64 without nulls"):
        verify(groupstream.open(folder))


def test_files_that_the_manifest_does_not_name_are_told_and_pass(folder: Path) -> None:
    (folder / "notes\x1b[31m.txt").write_bytes(b"")
    (folder / "deep").mkdir()
    (folder / "deep" / "more").write_bytes(b"")
    result = results_of(folder)["files"]
    assert result.passed
    assert r"2 more in the folder that the manifest does not name: deep/more, notes\x1b[31m.txt" in result.observed


def test_a_manifest_that_changed_since_it_was_opened_fails(folder: Path) -> None:
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
def test_a_manifest_that_is_not_complete_fails(folder: Path, change: Change, offender: str) -> None:
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
def test_a_wrong_count_fails_one_check(folder: Path, change: Change, offender: str) -> None:
    resign(folder, change)
    failed = failed_in(folder)
    assert set(failed) == {"sums of the index"}
    assert failed["sums of the index"][0].startswith(offender)


def changed_index(folder: Path, change: Callable[[pa.Table], pa.Table]) -> dict[str, tuple[str, ...]]:
    table = pq.read_table(folder / "train.groups.parquet")
    write_group_table(folder / "other", [change(table)])
    resign(folder, train_groups=(folder / "other").read_bytes())
    return failed_in(folder)


def set_column(table: pa.Table, name: str, change: Callable[[list[Any]], list[Any]]) -> pa.Table:
    place = table.schema.get_field_index(name)
    field = table.schema.field(place)
    return table.set_column(place, field, pa.array(change(table[name].to_pylist()), field.type))


@pytest.mark.parametrize(
    ("column", "value"),
    [("shard_index", -1), ("shard_index", 99), ("offset_bytes", -5), ("offset_bytes", 1 << 62), ("length_bytes", 0)],
)
def test_a_group_that_lies_nowhere_fails_and_nothing_crashes(folder: Path, column: str, value: int) -> None:
    failed = changed_index(folder, lambda t: set_column(t, column, lambda values: [value, *values[1:]]))
    assert {"order of the index", "groups"} <= set(failed)
    assert "lies outside of its shard" in failed["groups"][0]


@pytest.mark.parametrize("value", [0, -3, 1 << 60])
def test_a_group_of_an_impossible_number_of_examples_fails(folder: Path, value: int) -> None:
    failed = changed_index(folder, lambda t: set_column(t, "num_examples", lambda values: [value, *values[1:]]))
    assert {"sums of the index", "order of the index", "groups"} <= set(failed)


def test_an_empty_group_id_fails_although_it_has_a_hash(make_version: Any) -> None:
    root = make_version([{"n": 1}, {"n": 2}], [b"", b"a"], {"n": Feature(dtype="int64")})
    assert failed_in(root / "made" / "1.0.0") == {"order of the index": ("group '' of train: an id without a byte",)}


@pytest.fixture
def wide(two_splits: Path) -> Path:
    """train has 30 groups in 3 shards."""
    return two_splits / "wide" / "1.0.0"


def test_two_groups_that_are_swapped_in_the_index_fail(wide: Path) -> None:
    failed = changed_index(wide, lambda t: t.take([1, 0, *range(2, len(t))]))
    assert set(failed) == {"order of the index"}
    assert [o for o in failed["order of the index"] if o.endswith("of train: out of order")]


def test_two_groups_that_are_swapped_in_a_shard_fail(wide: Path) -> None:
    table = pq.read_table(wide / "train.groups.parquet").slice(0, 2).to_pylist()
    path = wide / "train-00000-of-00003.tfrecord"
    content, middle, end = (
        path.read_bytes(),
        table[0]["length_bytes"],
        table[0]["length_bytes"] + table[1]["length_bytes"],
    )
    resign(wide, train_00000=content[middle:end] + content[:middle] + content[end:])
    failed = failed_in(wide)
    assert set(failed) == {"groups"}
    names = [row["group_id"].decode() for row in table]
    assert [offender.split(": ")[0] for offender in failed["groups"]] == [f"group '{n}' of train" for n in names]


def test_a_group_that_is_divided_between_shards_fails(wide: Path) -> None:
    """Its examples are half of each of two rows, the second in the next shard, at its beginning."""
    table = pq.read_table(wide / "train.groups.parquet")
    row = pc.index(table["shard_index"], pa.scalar(1, pa.int32())).as_py() - 1
    failed = changed_index(wide, lambda t: set_column(t, "shard_index", lambda v: [*v[:row], 1, *v[row + 1 :]]))
    assert "order of the index" in failed
    name = table["group_id"][row].as_py().decode()
    assert failed["order of the index"][0] == f"group '{name}' of train: out of order"


def test_a_gap_in_a_shard_fails(wide: Path) -> None:
    path = wide / "train-00000-of-00003.tfrecord"
    resign(wide, train_00000=path.read_bytes() + b"\0" * 7)
    failed = failed_in(wide)
    assert set(failed) == {"order of the index"}
    assert failed["order of the index"][0].startswith("train-00000-of-00003.tfrecord: its groups end at byte ")


def test_sizes_that_contradict_each_other_fail(wide: Path) -> None:
    failed = changed_index(wide, lambda t: set_column(t, "num_bytes", lambda v: [v[0] + 1, v[1] - 1, *v[2:]]))
    assert set(failed) == {"order of the index", "groups"}


def test_of_many_offenders_five_are_named_and_all_counted(wide: Path) -> None:
    changed_index(wide, lambda t: set_column(t, "group_hash", lambda hashes: hashes[::-1]))
    result = results_of(wide)["order of the index"]
    assert len(result.offenders) == 5
    assert result.observed == "42 groups in 5 shards: 30 faults"


def test_reading_of_groups_stops_at_the_fifth_fault(make_version: Any) -> None:
    data = [{"data": bytes(9_000)} for _ in range(2_000)]
    root = make_version(
        data, [b"g%d" % (n % 700) for n in range(2_000)], {"data": Feature(dtype="bytes")}, num_shards=1
    )
    path = root / "made" / "1.0.0" / "train-00000-of-00001.tfrecord"
    path.write_bytes(path.read_bytes().replace(bytes(9_000), b"\1" + bytes(8_999)))
    result = results_of(path.parent)["groups"]
    assert len(result.offenders) == 5 and result.observed.endswith(": 5 faults, then it stopped")


def test_ids_of_any_bytes_are_shown_on_one_short_line(make_version: Any) -> None:
    ids = [b"\xff\n\x1b[2J" + b"x" * 5_000_000, b"b"]
    root = make_version([{"n": 1}, {"n": 2}], ids, {"n": Feature(dtype="int64")}, num_shards=1)
    path = root / "made" / "1.0.0" / "train-00000-of-00001.tfrecord"
    path.write_bytes(bytes(path.stat().st_size))
    offenders = results_of(path.parent)["groups"].offenders
    assert len(offenders) == 2
    assert [offender for offender in offenders if offender.startswith(r"group '\xff\n\x1b[2Jxxx")]
    assert all(offender.isprintable() and len(offender) < 300 for offender in offenders)


def label_table(folder: Path, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> dict[str, Any]:
    rows = change(pq.read_table(folder / "train.labels.parquet").to_pylist())
    write_group_table(folder / "other", [pa.Table.from_pylist(rows, LABEL_SCHEMA)], LABEL_SCHEMA)
    resign(folder, train_labels=(folder / "other").read_bytes())
    return failed_in(folder)


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        (lambda rows: [*rows[:-1], {**rows[-1], "group_row": 99}], "group number 99, of 3 groups"),
        (lambda rows: [{**rows[0], "group_row": -1}, *rows[1:]], "group number -1, of 3 groups"),
        (lambda rows: rows[::-1], "not after the row before it"),
        (lambda rows: [*rows, rows[-1]], "not after the row before it"),
        (lambda rows: [{**rows[0], "num_examples": 0}, *rows[1:]], "with no example"),
        (lambda rows: [{**r, "num_examples": r["num_examples"] + 1} for r in rows], " labels of "),
        (lambda rows: rows[1:], "0 labels of "),
        (lambda rows: [], "0 labels of "),
    ],
)
def test_a_label_table_that_does_not_fit_the_groups_fails(folder: Path, change: Any, detail: str) -> None:
    failed = label_table(folder, change)
    assert set(failed) == {"label tables"}
    assert detail in failed["label tables"][0], failed


def test_examples_without_a_label_are_counted_in_no_row(folder: Path) -> None:
    def make_optional(fields: dict[str, Any]) -> None:
        for feature in fields["features"].values():
            feature["optional"] = True

    label_table(folder, lambda rows: rows[1:])
    resign(folder, make_optional)
    assert failed_in(folder) == {}
    resign(folder, lambda fields: fields["spec"].update(label_feature="label"))
    assert failed_in(folder) == {}


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


def test_a_split_without_a_shard_fails_and_nothing_crashes(folder: Path) -> None:
    resign(folder, lambda fields: fields["splits"]["train"].update(shards=[]))
    failed = failed_in(folder)
    assert set(failed) == {"manifest", "order of the index", "groups"}
    assert failed["manifest"] == ("manifest.json: split train has no shard",)
