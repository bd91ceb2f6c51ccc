"""Exports: what is written, what is refused, and what is left behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import groupstream
from groupstream import Feature, PublishError, UsageError
from groupstream.cli import make_app
from groupstream.commands.export import FORMAT_NAMES
from groupstream.dataset_grouper import read_groups
from groupstream.exports import FORMATS, export, parquet, plan_export


@pytest.fixture
def train(golden: Path) -> groupstream.Split:
    return groupstream.open("text", str(golden))["train"]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", ["text", "tags", "digits"])
def test_parquet_holds_every_example_with_its_group(golden: Path, tmp_path: Path, name: str) -> None:
    split = groupstream.open(name, str(golden))["train"]
    done = export(split, tmp_path, "parquet")
    assert [path.name for path in done.files] == names_in(tmp_path)
    table = pa.concat_tables([pq.read_table(path) for path in done.files])
    assert table["group_id"].to_pylist() == [group.id for group in split for _ in range(len(group))]
    assert table.drop_columns("group_id").combine_chunks() == pa.concat_tables(
        [group.table() for group in split]
    ).combine_chunks().cast(table.schema.remove(0))


def test_parquet_holds_missing_tensors(make_version: Callable[..., Path], tmp_path: Path) -> None:
    features = {"t": Feature(dtype="float32", shape=(2, 2), optional=True), "n": Feature(dtype="int64")}
    rows = [{"t": [1.0, 2.0, 3.0, 4.0], "n": 0}, {"t": None, "n": 1}, {"t": [5.0, 6.0, 7.0, 8.0], "n": 2}]
    root = make_version(rows, [b"a"] * 3, features, num_shards=1)
    [path] = export(groupstream.open("made", str(root))["train"], tmp_path / "out", "parquet").files
    table = pq.read_table(path)
    assert table["t"].to_pylist() == [row["t"] for row in rows]


def test_row_groups_are_bounded(make_version: Callable[..., Path], tmp_path: Path) -> None:
    rows = [{"text": str(i % 7) * 50_000} for i in range(1000)]
    ids = [b"large"] * 500 + [b"%d" % i for i in range(500)]
    root = make_version(rows, ids, {"text": Feature(dtype="string")}, num_shards=1)
    [path] = export(groupstream.open("made", str(root))["train"], tmp_path / "out", "parquet").files
    metadata = pq.ParquetFile(path).metadata
    sizes = [metadata.row_group(i).num_rows * 50_000 for i in range(metadata.num_row_groups)]
    assert len(sizes) == 2
    assert max(sizes) < parquet.ROW_GROUP_BYTES + (9 << 20)


@pytest.mark.parametrize("format", FORMATS)
def test_progress_sums_up_to_the_bytes(train: groupstream.Split, tmp_path: Path, format: str) -> None:
    written: list[int] = []
    done = export(train, tmp_path, format, on_bytes=written.append)
    assert (done.num_groups, done.num_examples, done.num_bytes) == (8, 40, 6519)
    assert sum(written) == 6519


@pytest.mark.parametrize("num_files", [1, 2, 5, 20])
def test_groups_are_spread_over_the_files_in_order(train: groupstream.Split, tmp_path: Path, num_files: int) -> None:
    done = export(train, tmp_path, num_files=num_files)
    counts = [len(list(read_groups(path))) for path in done.files]
    assert len(counts) == num_files
    assert max(counts) - min(counts) <= 1
    assert [g.id for g in read_groups(done.files, "group_id")] == [g.id for g in train]


def test_a_stream_is_exported_as_it_is(train: groupstream.Split, tmp_path: Path) -> None:
    stream = train.filter(min_examples=3).shuffle(seed=7)
    export(stream, tmp_path, num_files=1)
    assert [g.id for g in read_groups(tmp_path / "train-*", "group_id")] == [g.id for g in stream]
    chosen = stream.select("score", "text")
    [path] = export(chosen, tmp_path, "parquet", num_files=1).files
    assert pq.read_table(path).column_names == ["group_id", "score", "text"]


def test_a_plan_writes_nothing_and_says_the_same(train: groupstream.Split, tmp_path: Path) -> None:
    plan = plan_export(train, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert plan == export(train, tmp_path / "out")


@pytest.mark.parametrize("format", FORMATS)
def test_what_exists_is_left_alone(train: groupstream.Split, tmp_path: Path, format: str) -> None:
    last = plan_export(train, tmp_path, format).files[-1]
    last.write_bytes(b"mine")
    with pytest.raises(PublishError, match=rf"{last.name} exists already; choose another folder"):
        export(train, tmp_path, format)
    assert names_in(tmp_path) == [last.name]
    assert last.read_bytes() == b"mine"


def test_a_file_that_comes_up_meanwhile_is_left_alone(train: groupstream.Split, tmp_path: Path) -> None:
    last = plan_export(train, tmp_path).files[-1]

    def interfere(count: int) -> None:
        last.write_bytes(b"mine")

    with pytest.raises(PublishError, match=rf"{last.name} exists already; choose another folder"):
        export(train, tmp_path, on_bytes=interfere)
    assert names_in(tmp_path) == [last.name]
    assert last.read_bytes() == b"mine"


def test_two_splits_of_the_same_features_lie_in_one_folder(two_splits: Path, tmp_path: Path) -> None:
    wide, out = groupstream.open("wide", str(two_splits)), tmp_path / "out"
    export(wide["train"], out, num_files=1)
    export(wide["test"], out, num_files=2)
    assert len(names_in(out)) == 4
    for path in out.glob("*.tfrecord"):
        path.unlink()
    (out / "features.json").write_text("{}")
    with pytest.raises(PublishError, match=r"features\.json exists already"):
        export(wide["train"], out)


def test_an_export_in_another_number_of_files_is_not_put_beside_one(train: groupstream.Split, tmp_path: Path) -> None:
    """Whoever reads train-* would read every group twice."""
    export(train, tmp_path, "parquet", num_files=1)
    with pytest.raises(PublishError, match=r"train-00000-of-00001\.parquet exists already; choose another folder"):
        export(train, tmp_path, "parquet", num_files=2)
    export(train, tmp_path, num_files=2)  # in another format


@pytest.mark.parametrize("format", FORMATS)
def test_what_breaks_off_leaves_nothing_behind(train: groupstream.Split, tmp_path: Path, format: str) -> None:
    class StopError(Exception):
        pass

    seen: list[list[str]] = []

    def stop(count: int) -> None:
        seen.append(names_in(tmp_path))
        if len(seen) >= 2:
            raise StopError

    with pytest.raises(StopError):
        export(train, tmp_path, format, on_bytes=stop)
    assert all(name.startswith(".export-") for names in seen for name in names)
    with pytest.raises(StopError):
        export(train, tmp_path / "new", format, on_bytes=stop)
    assert names_in(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_one_line(train: groupstream.Split, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(PublishError, match=r"cannot write .*file/out: Not a directory\. Make room or allow writing"):
        export(train, tmp_path / "file" / "out")


def test_wrong_requests_are_refused(train: groupstream.Split, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no format 'csv'; choose one of dataset-grouper, parquet"):
        export(train, tmp_path, "csv")
    with pytest.raises(UsageError, match="num_files is 0; it should be at least 1"):
        export(train, tmp_path, num_files=0)


@pytest.fixture
def run(golden: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.setenv("GROUPSTREAM_ROOT", str(golden))
    monkeypatch.setenv("COLUMNS", "150")
    return lambda *arguments: CliRunner().invoke(make_app(), ["export", *arguments], catch_exceptions=False)


def test_the_command_writes(run: Callable[..., Any], tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    result = run("text", out, "--format", "dataset-grouper", "--dry-run")
    assert result.stdout == f"8 groups of 40 examples (6.5 kB) would be written to 4 files in {out}; nothing was\n"
    assert not (tmp_path / "out").exists()
    result = run("text", out, "--format", "dataset-grouper", "--min-examples", "3", "--files", "1", "--json")
    assert json.loads(result.stdout) == {
        "ref": "text@1.0.0",
        "split": "train",
        "dry_run": False,
        "format": "dataset-grouper",
        "files": [f"{out}/train-00000-of-00001.tfrecord", f"{out}/features.json"],
        "groups": 5,
        "examples": 35,
        "bytes": 5726,
    }
    assert len(list(read_groups(f"{out}/*.tfrecord"))) == 5
    result = run("text", out, "--format", "parquet")
    assert result.stdout == f"8 groups of 40 examples (6.5 kB) are in 3 files in {out}\n"


def test_the_command_names_every_format(run: Callable[..., Any]) -> None:
    assert tuple(FORMATS) == FORMAT_NAMES
    text = run("--help").stdout
    assert all(name in text for name in FORMAT_NAMES)
    assert "Example: groupstream export" in text
