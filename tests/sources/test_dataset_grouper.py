"""Shards of Dataset Grouper as sources."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from groupstream import Feature, SourceError, SpecError
from groupstream.binary import data_of
from groupstream.dataset_grouper.sequence_example import encode_groups
from groupstream.examples.encoding import encode_examples
from groupstream.tfrecord import frame_records
from sources import DatasetGrouper

KINDS = {
    "text": Feature(dtype="string"),
    "n": Feature(dtype="int64"),
    "tags": Feature(dtype="string", shape=(None,)),
}


def _records(texts: list[str]) -> pa.LargeBinaryArray:
    rows = [{"text": text, "n": i, "tags": ["é"] * (i % 3)} for i, text in enumerate(texts)]
    schema = pa.schema([(name, kind.arrow_type) for name, kind in KINDS.items()])
    return encode_examples(pa.RecordBatch.from_pylist(rows, schema), KINDS)


def _write(path: Path, groups: list[list[str]]) -> list[bytes]:
    records = _records([text for group in groups for text in group])
    bounds = np.cumsum([0, *map(len, groups)])
    path.write_bytes(bytes(data_of(frame_records(encode_groups(records, bounds)))))
    return records.to_pylist()


@pytest.fixture
def shards(tmp_path: Path) -> list[bytes]:
    """Writes two shards; gives the records of both."""
    first = _write(tmp_path / "train-00000-of-00002", [["a", "b"], [], ["c", "d", "e"]])
    return first + _write(tmp_path / "train-00001-of-00002", [["f", "g"]])


def test_each_example_gets_the_name_of_its_group(shards: list[bytes], tmp_path: Path, read_rows: Any) -> None:
    source = DatasetGrouper(paths=[f"{tmp_path}/train-*"])
    assert source.available_features() == {
        "n": Feature(dtype="int64", optional=True),
        "tags": Feature(dtype="string", shape=(None,), optional=True),
        "text": Feature(dtype="string", optional=True),
        "group": Feature(dtype="string"),
    }
    assert [piece.label for piece in source.pieces()] == ["train-00000-of-00002", "train-00001-of-00002"]
    rows = read_rows(source)
    assert [(row["text"], row["group"].removeprefix("train-0000")) for row in rows] == [
        ("a", "0-of-00002:0"),
        ("b", "0-of-00002:0"),
        ("c", "0-of-00002:2"),
        ("d", "0-of-00002:2"),
        ("e", "0-of-00002:2"),
        ("f", "1-of-00002:0"),
        ("g", "1-of-00002:0"),
    ]
    assert rows[2] == {"n": 2, "tags": ["é", "é"], "text": "c", "group": "train-00000-of-00002:2"}


def test_examples_are_passed_through_with_the_name_appended(shards: list[bytes], tmp_path: Path) -> None:
    source = DatasetGrouper(paths=[f"{tmp_path}/train-*"], group_feature="client")
    batches = [batch for piece in source.pieces() for batch in source.read(piece, {}, frozenset())]
    found = [record for batch in batches for record in batch.records.to_pylist()]
    assert [record[: len(original)] for record, original in zip(found, shards, strict=True)] == shards
    assert all(b"client" in record[len(original) :] for record, original in zip(found, shards, strict=True))


def test_shards_of_one_name_in_two_folders_have_groups_of_their_own(tmp_path: Path, read_rows: Any) -> None:
    for folder in "xy":
        (tmp_path / folder).mkdir()
        _write(tmp_path / folder / "train-00000-of-00001", [[folder]])
    rows = read_rows(DatasetGrouper(paths=[f"{tmp_path}/*/train-*"]))
    assert [row["group"] for row in rows] == ["x/train-00000-of-00001:0", "y/train-00000-of-00001:0"]


def test_features_are_chosen_renamed_and_cast(shards: list[bytes], tmp_path: Path, read_rows: Any) -> None:
    source = DatasetGrouper(paths=[f"{tmp_path}/*"], features={"who": {"from": "group"}, "n": "float32"})
    assert read_rows(source)[-1] == {"who": "train-00001-of-00002:0", "n": 1.0}


def test_large_group_comes_in_blocks(tmp_path: Path) -> None:
    _write(tmp_path / "s", [["x" * (1 << 20)] * 20, ["y"] * 25_000])
    source = DatasetGrouper(paths=[f"{tmp_path}/s"])
    (piece,) = source.pieces()
    batches = list(source.read(piece, source.available_features(), frozenset(["group"])))
    assert max(batch.records.nbytes for batch in batches) < 10 << 20
    assert max(batch.num_examples for batch in batches) <= 10_000
    groups = pa.chunked_array([batch.columns["group"] for batch in batches]).value_counts().to_pylist()
    assert {group["values"]: group["counts"] for group in groups} == {"s:0": 20, "s:1": 25_000}


def test_name_of_the_group_does_not_take_that_of_a_feature(shards: list[bytes], tmp_path: Path, refusal: Any) -> None:
    error = refusal(DatasetGrouper(paths=[f"{tmp_path}/*"], group_feature="text"))
    assert isinstance(error, SpecError)
    assert "source.group_feature 'text' is the name of a feature" in str(error)


def test_features_are_known_from_the_sample_only(tmp_path: Path, refusal: Any) -> None:
    records = pa.array([*_records(["a"]).to_pylist(), b"\n\x00"], pa.large_binary())
    (tmp_path / "s").write_bytes(bytes(data_of(frame_records(encode_groups(records, np.array([0, 1, 2]))))))
    source = DatasetGrouper(paths=[f"{tmp_path}/s"], sample_bytes=1)
    (batch,) = source.read(source.pieces()[0], source.available_features(), frozenset(["text"]))
    assert batch.columns["text"].to_pylist() == ["a", None]


def test_plain_tfrecord_file_and_damage_are_refused(tmp_path: Path, refusal: Any, shards: list[bytes]) -> None:
    (tmp_path / "plain").write_bytes(bytes(data_of(frame_records(_records(["a"])))))
    error = refusal(DatasetGrouper(paths=[f"{tmp_path}/plain"]))
    assert isinstance(error, SourceError)
    assert "not part of a group as Dataset Grouper 0.3.0 writes it" in str(error)
    file = tmp_path / "train-00001-of-00002"
    file.write_bytes(file.read_bytes()[:-1])
    error = refusal(DatasetGrouper(paths=[f"{tmp_path}/train-*"]))
    assert isinstance(error, SourceError)
    assert str(file) in str(error)
