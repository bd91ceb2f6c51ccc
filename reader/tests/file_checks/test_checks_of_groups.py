"""Each check of the index, of label tables and of groups is seen to fail, and nothing crashes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import groupstream
from groupstream import CorruptError, Feature
from groupstream.group_table import LABEL_SCHEMA, write_group_table
from groupstream.verify import verify

OF_INDEX = {"sums of the index", "order of the index", "label tables", "groups"}
SHARD = "train-00000-of-00002.tfrecord"


def test_without_the_index_the_files_are_still_checked(folder: Path, failed_in: Callable) -> None:
    (folder / "train.groups.parquet").unlink()
    failed = failed_in(folder)
    assert set(failed) == {"files", "checksums", *OF_INDEX}
    assert "train.groups.parquet: cannot be read" in failed["groups"]


def test_an_index_with_a_changed_byte_is_not_believed(folder: Path, failed_in: Callable, flip_a_bit: Callable) -> None:
    path = folder / "train.groups.parquet"
    flip_a_bit(path, 30)
    assert set(failed_in(folder)) == {"checksums", *OF_INDEX}


@pytest.mark.parametrize("content", [b"", b"PAR1" * 20])
def test_an_index_that_is_no_table_is_a_fault_and_no_crash(
    folder: Path, content: bytes, failed_in: Callable, resign: Callable
) -> None:
    resign(folder, train_groups=content)
    assert set(failed_in(folder)) == OF_INDEX


def test_an_index_without_a_column_is_a_fault_and_no_crash(folder: Path, failed_in: Callable, resign: Callable) -> None:
    table = pq.read_table(folder / "train.groups.parquet").drop_columns(["num_words"])
    pq.write_table(table, folder / "other")
    resign(folder, train_groups=(folder / "other").read_bytes())
    assert set(failed_in(folder)) == OF_INDEX - {"label tables"}


def test_an_index_with_a_null_is_a_fault_and_no_crash(folder: Path, failed_in: Callable, resign: Callable) -> None:
    table = pq.read_table(folder / "train.groups.parquet")
    words = pa.array([None, *table["num_words"].to_pylist()[1:]], pa.int64())
    pq.write_table(table.drop_columns(["num_words"]).append_column("num_words", words), folder / "other")
    resign(folder, train_groups=(folder / "other").read_bytes())
    assert set(failed_in(folder)) == OF_INDEX - {"label tables"}
    with pytest.raises(CorruptError, match="has no column num_words of type int64 without nulls"):
        verify(groupstream.open(folder))


@pytest.fixture
def changed_index(resign: Callable, failed_in: Callable) -> Callable:
    """What fails in a version whose index was changed by its builder."""

    def change_index(folder: Path, change: Callable[[pa.Table], pa.Table]) -> dict[str, tuple[str, ...]]:
        table = pq.read_table(folder / "train.groups.parquet")
        write_group_table(folder / "other", [change(table)])
        resign(folder, train_groups=(folder / "other").read_bytes())
        return failed_in(folder)

    return change_index


def set_column(table: pa.Table, name: str, change: Callable[[list[Any]], list[Any]]) -> pa.Table:
    place = table.schema.get_field_index(name)
    field = table.schema.field(place)
    return table.set_column(place, field, pa.array(change(table[name].to_pylist()), field.type))


@pytest.mark.parametrize(
    ("column", "value"),
    [("shard_index", -1), ("shard_index", 99), ("offset_bytes", -5), ("offset_bytes", 1 << 62), ("length_bytes", 0)],
)
def test_a_group_that_lies_nowhere_fails_and_nothing_crashes(
    folder: Path, column: str, value: int, changed_index: Callable
) -> None:
    failed = changed_index(folder, lambda t: set_column(t, column, lambda values: [value, *values[1:]]))
    assert {"order of the index", "groups"} <= set(failed)
    assert "lies outside of its shard" in failed["groups"][0]


@pytest.mark.parametrize("value", [0, -3, 1 << 60])
def test_a_group_of_an_impossible_number_of_examples_fails(folder: Path, value: int, changed_index: Callable) -> None:
    failed = changed_index(folder, lambda t: set_column(t, "num_examples", lambda values: [value, *values[1:]]))
    assert {"sums of the index", "order of the index", "groups"} <= set(failed)


def test_an_empty_group_id_fails_although_it_has_a_hash(make_version: Any, failed_in: Callable) -> None:
    root = make_version([{"n": 1}, {"n": 2}], [b"", b"a"], {"n": Feature(dtype="int64")})
    assert failed_in(root / "made" / "1.0.0") == {"order of the index": ("group '' of train: an id without a byte",)}


@pytest.fixture
def wide(two_splits: Path) -> Path:
    """train has 30 groups in 3 shards."""
    return two_splits / "wide" / "1.0.0"


def test_two_groups_that_are_swapped_in_the_index_fail(wide: Path, changed_index: Callable) -> None:
    failed = changed_index(wide, lambda t: t.take([1, 0, *range(2, len(t))]))
    assert set(failed) == {"order of the index"}
    assert [o for o in failed["order of the index"] if o.endswith("of train: out of order")]


def test_two_groups_that_are_swapped_in_a_shard_fail(wide: Path, failed_in: Callable, resign: Callable) -> None:
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


def test_a_group_that_is_divided_between_shards_fails(wide: Path, changed_index: Callable) -> None:
    """Its examples are half of each of two rows, the second in the next shard, at its beginning."""
    table = pq.read_table(wide / "train.groups.parquet")
    row = pc.index(table["shard_index"], pa.scalar(1, pa.int32())).as_py() - 1
    failed = changed_index(wide, lambda t: set_column(t, "shard_index", lambda v: [*v[:row], 1, *v[row + 1 :]]))
    assert "order of the index" in failed
    name = table["group_id"][row].as_py().decode()
    assert failed["order of the index"][0] == f"group '{name}' of train: out of order"


def test_a_gap_in_a_shard_fails(wide: Path, failed_in: Callable, resign: Callable) -> None:
    path = wide / "train-00000-of-00003.tfrecord"
    resign(wide, train_00000=path.read_bytes() + b"\0" * 7)
    failed = failed_in(wide)
    assert set(failed) == {"order of the index"}
    assert failed["order of the index"][0].startswith("train-00000-of-00003.tfrecord: its groups end at byte ")


def test_sizes_that_contradict_each_other_fail(wide: Path, changed_index: Callable) -> None:
    failed = changed_index(wide, lambda t: set_column(t, "num_bytes", lambda v: [v[0] + 1, v[1] - 1, *v[2:]]))
    assert set(failed) == {"order of the index", "groups"}


def test_of_many_offenders_five_are_named_and_all_counted(
    wide: Path, results_of: Callable, changed_index: Callable
) -> None:
    changed_index(wide, lambda t: set_column(t, "group_hash", lambda hashes: hashes[::-1]))
    result = results_of(wide)["order of the index"]
    assert len(result.offenders) == 5
    assert result.observed == "42 groups in 5 shards: 30 faults"


def test_reading_of_groups_stops_at_the_fifth_fault(make_version: Any, results_of: Callable) -> None:
    data = [{"data": bytes(9_000)} for _ in range(2_000)]
    root = make_version(
        data, [b"g%d" % (n % 700) for n in range(2_000)], {"data": Feature(dtype="bytes")}, num_shards=1
    )
    path = root / "made" / "1.0.0" / "train-00000-of-00001.tfrecord"
    path.write_bytes(path.read_bytes().replace(bytes(9_000), b"\1" + bytes(8_999)))
    result = results_of(path.parent)["groups"]
    assert len(result.offenders) == 5 and result.observed.endswith(": 5 faults, then it stopped")


def test_ids_of_any_bytes_are_shown_on_one_short_line(make_version: Any, results_of: Callable) -> None:
    ids = [b"\xff\n\x1b[2J" + b"x" * 5_000_000, b"b"]
    root = make_version([{"n": 1}, {"n": 2}], ids, {"n": Feature(dtype="int64")}, num_shards=1)
    path = root / "made" / "1.0.0" / "train-00000-of-00001.tfrecord"
    path.write_bytes(bytes(path.stat().st_size))
    offenders = results_of(path.parent)["groups"].offenders
    assert len(offenders) == 2
    assert [offender for offender in offenders if offender.startswith(r"group '\xff\n\x1b[2Jxxx")]
    assert all(offender.isprintable() and len(offender) < 300 for offender in offenders)


@pytest.fixture
def label_table(resign: Callable, failed_in: Callable) -> Callable:
    """What fails in a version whose label table was changed by its builder."""

    def change_labels(folder: Path, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> dict[str, Any]:
        rows = change(pq.read_table(folder / "train.labels.parquet").to_pylist())
        write_group_table(folder / "other", [pa.Table.from_pylist(rows, LABEL_SCHEMA)], LABEL_SCHEMA)
        resign(folder, train_labels=(folder / "other").read_bytes())
        return failed_in(folder)

    return change_labels


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
def test_a_label_table_that_does_not_fit_the_groups_fails(
    folder: Path, change: Any, detail: str, label_table: Callable
) -> None:
    failed = label_table(folder, change)
    assert set(failed) == {"label tables"}
    assert detail in failed["label tables"][0], failed


def test_examples_without_a_label_are_counted_in_no_row(
    folder: Path, failed_in: Callable, resign: Callable, label_table: Callable
) -> None:
    def make_optional(fields: dict[str, Any]) -> None:
        for feature in fields["features"].values():
            feature["optional"] = True

    label_table(folder, lambda rows: rows[1:])
    resign(folder, make_optional)
    assert failed_in(folder) == {}
    resign(folder, lambda fields: fields["spec"].update(label_feature="label"))
    assert failed_in(folder) == {}
