"""TensorFlow Datasets, on a real one that is prepared here."""

from __future__ import annotations

import json
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from groupstream import Feature, SourceError, SpecError
from groupstream.tfrecord import unframe
from sources import Tfds
from sources.tfds_features import stored_features

_LABELS = ("even", "odd")


@pytest.fixture
def folder(tiny_tfds: Path) -> Path:
    return tiny_tfds / "tiny_for_tests/1.0.0"


def _read(source: Tfds, *needed: str) -> tuple[list[bytes], list[dict[str, Any]]]:
    records, rows = [], []
    for piece in source.pieces():
        for batch in source.read(piece, source.available_features(), frozenset(needed)):
            assert batch.records is not None
            assert batch.num_examples == (len(batch.columns) if needed else len(batch.records))
            records += batch.records.to_pylist()
            rows += batch.columns.to_pylist()
    return records, rows


def _records_of(folder: Path, split: str) -> list[bytes]:
    files = sorted(folder.glob(f"*-{split}.tfrecord*"))
    return [record for file in files for record in unframe(file.read_bytes(), str(file)).to_pylist()]


@pytest.mark.parametrize("split", ["train", "test"])
def test_records_pass_through_byte_for_byte(folder: Path, tiny_tfds: Path, split: str) -> None:
    expected = _records_of(folder, split)
    assert len(expected) == {"train": 10, "test": 5}[split]
    assert _read(Tfds(folder=str(folder), split=split))[0] == expected
    by_name = Tfds(dataset="tiny_for_tests", data_dir=str(tiny_tfds), split=split)
    assert _read(by_name)[0] == expected
    assert by_name.identity() == Tfds(folder=str(folder), split=split).identity()


def test_features_are_described_as_they_are_stored(folder: Path) -> None:
    assert Tfds(folder=str(folder)).available_features() == {
        "box": Feature(dtype="float32", shape=(None,)),
        "flag": Feature(dtype="bool"),
        "grid": Feature(dtype="int16", shape=(2, 3)),
        "image": Feature(dtype="bytes", image_format="png"),
        "label": Feature(dtype="int64", labels=_LABELS),
        "labels": Feature(dtype="int64", shape=(None,), labels=_LABELS),
        "numbers": Feature(dtype="int64", shape=(None,)),
        "score": Feature(dtype="float32"),
        "tags": Feature(dtype="string", shape=(None,)),
        "text": Feature(dtype="string"),
    }


def test_features_that_are_needed_are_decoded_to_what_was_written(folder: Path) -> None:
    source = Tfds(folder=str(folder))
    rows = _read(source, *source.available_features())[1]
    for row in rows:
        i = int(row["text"].split()[-1])
        assert row["text"] == f"alpha é {i}"
        assert (row["label"], row["score"], row["flag"]) == (i % 2, i / 2, i % 2 == 1)
        assert row["image"].startswith(b"\x89PNG")
        assert np.array_equal(np.reshape(row["grid"], (2, 3)), np.full((2, 3), -i))
        assert row["box"] == [0, 1, 2, i]
        assert row["tags"] == ["ü"] * (i % 3)
        assert row["labels"] == [i % 2] * (i % 2)
        assert row["numbers"] == list(range(i % 4))
    assert sorted(int(row["text"].split()[-1]) for row in rows) == list(range(10))


def test_only_what_is_needed_is_decoded(folder: Path) -> None:
    assert list(_read(Tfds(folder=str(folder)), "label")[1][0]) == ["label"]
    (batch,) = (source := Tfds(folder=str(folder))).read(source.pieces()[0], source.available_features(), frozenset())
    assert (batch.num_examples, batch.columns.num_columns) == (10, 0)


def test_columns_agree_with_the_features(folder: Path) -> None:
    source = Tfds(folder=str(folder))
    features = source.available_features()
    (batch,) = source.read(source.pieces()[0], features, frozenset(features))
    assert {f.name: f.type for f in batch.columns.schema} == {n: f.arrow_type for n, f in features.items()}


def test_identity_is_that_of_the_records(folder: Path, tmp_path: Path) -> None:
    before = Tfds(folder=str(folder)).identity()
    shutil.copytree(folder, tmp_path / "copy")
    assert Tfds(folder=str(tmp_path / "copy")).identity() == before
    assert Tfds(folder=str(folder), split="test").identity() != before
    (file,) = (tmp_path / "copy").glob("*-train.tfrecord*")
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert Tfds(folder=str(tmp_path / "copy")).identity() != before


def test_unknown_split_is_refused_with_the_nearest(folder: Path, refusal: Any) -> None:
    error = refusal(Tfds(folder=str(folder), split="tests"))
    assert isinstance(error, SpecError)
    assert "source.split 'tests' is not in tiny_for_tests/1.0.0; did you mean 'test'? it has test, train" in str(error)


@pytest.mark.parametrize("content", [None, "", "{"])
def test_folder_that_is_no_dataset_is_refused(content: str | None, tmp_path: Path, refusal: Any) -> None:
    if content is not None:
        (tmp_path / "dataset_info.json").write_text(content)
    error = refusal(Tfds(folder=str(tmp_path)))
    assert isinstance(error, SourceError)
    assert f"TFDS cannot load '{tmp_path}': " in str(error)
    assert "source.folder: it holds dataset_info.json" in str(error)


@pytest.mark.parametrize("dataset", ["no_such_dataset", "tiny_for_tests:9.9.9", "tiny_for_tests/config"])
def test_unknown_dataset_is_refused(dataset: str, tiny_tfds: Path, refusal: Any) -> None:
    error = refusal(Tfds(dataset=dataset, data_dir=str(tiny_tfds)))
    assert isinstance(error, SourceError)
    assert f"TFDS cannot load {dataset!r}: " in str(error)


def test_record_file_that_is_cut_is_refused(folder: Path, tmp_path: Path, refusal: Any) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    (file,) = (tmp_path / "copy").glob("*-train.tfrecord*")
    file.write_bytes(file.read_bytes()[:-1])
    source = Tfds(folder=str(tmp_path / "copy"))
    with pytest.raises(SourceError, match=f"cannot read .*{file.name}.*is cut short.*Prepare the dataset again"):
        _read(source)
    file.unlink()
    with pytest.raises(SourceError, match=f"cannot read .*{file.name}"):
        _read(source)


def test_dataset_in_another_file_format_is_refused(folder: Path, tmp_path: Path, refusal: Any) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    info = tmp_path / "copy/dataset_info.json"
    content = json.loads(info.read_text())
    content["fileFormat"] = "riegeli"
    info.write_text(json.dumps(content))
    assert "is neither a TFRecord nor an ArrayRecord file; prepare tiny_for_tests/1.0.0 with file_format=tfrecord" in (
        str(refusal(Tfds(folder=str(tmp_path / "copy"))))
    )


def test_missing_package_is_named_with_what_to_run(monkeypatch: pytest.MonkeyPatch, refusal: Any) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    message = str(refusal(Tfds(folder="anywhere")))
    assert "source kind tfds needs a package: " in message
    assert "pip install tensorflow-datasets importlib_resources" in message


def test_prepared_dataset_is_read_without_network(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise AssertionError(f"opened a socket: {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert len(_read(Tfds(folder=str(folder)), "text")[0]) == 10


@pytest.mark.parametrize("fields", [{}, {"dataset": "x", "folder": "y"}])
def test_name_and_folder_exclude_each_other(fields: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"give dataset .* or folder .*, one of the two"):
        Tfds.model_validate(fields)


def _connector(kind: str) -> Any:
    from tensorflow_datasets import features as f

    return {
        "video": lambda: f.Video(shape=(None, 2, 2, 3)),
        "audio": f.Audio,
        "bbox": f.BBoxFeature,
        "strings": lambda: f.Tensor(shape=(2,), dtype=np.str_),
        "string": lambda: f.Tensor(shape=(), dtype=np.str_),
        "images": lambda: f.Sequence(f.Image(encoding_format="jpeg")),
        "tensors": lambda: f.Sequence(f.Tensor(shape=(2, 2), dtype=np.float32, encoding="bytes")),
        "fixed": lambda: f.Sequence(f.Scalar(np.int32), length=3),
        "uint64": lambda: f.Scalar(np.uint64),
        "float64": lambda: f.Scalar(np.float64),
        "labelled": lambda: f.LabeledImage(labels=2, shape=(None, None, 1)),
        "matrices": lambda: f.Sequence(f.Tensor(shape=(2, 3), dtype=np.int32)),
        "rows": lambda: f.Tensor(shape=(None, 3), dtype=np.float32),
        "table": lambda: f.Tensor(shape=(2, 3), dtype=np.str_),
        "matrix": lambda: f.Tensor(shape=(2, 2), dtype=np.float32),
        "zlib": lambda: f.Tensor(shape=(2, 2), dtype=np.float32, encoding="zlib"),
        "doubles": lambda: f.Tensor(shape=(2, 2), dtype=np.float64, encoding="bytes"),
        "ragged": lambda: f.Tensor(shape=(None, 3), dtype=np.float32, encoding="bytes"),
        "encoded": lambda: f.Tensor(shape=(), dtype=np.float32, encoding="bytes"),
    }[kind]()


@pytest.mark.parametrize(
    ("kind", "feature"),
    [
        ("video", Feature(dtype="bytes", shape=(None,), image_format="png")),
        ("audio", Feature(dtype="int64", shape=(None,))),
        ("bbox", Feature(dtype="float32", shape=(None,))),
        ("strings", Feature(dtype="bytes", shape=(None,))),
        ("string", Feature(dtype="bytes")),
        ("images", Feature(dtype="bytes", shape=(None,), image_format="jpeg")),
        ("tensors", Feature(dtype="bytes", shape=(None,))),
        ("fixed", Feature(dtype="int64", shape=(None,))),
        ("uint64", Feature(dtype="int64")),
        ("float64", Feature(dtype="float32")),
        ("labelled", Feature(dtype="bytes", image_format="png")),
        ("matrix", Feature(dtype="float32", shape=(None, 2))),
        ("matrices", Feature(dtype="int64", shape=(None, 2, 3))),
        ("rows", Feature(dtype="float32", shape=(None, 3))),
    ],
)
def test_feature_kind_is_described_as_its_values_are_stored(kind: str, feature: Feature) -> None:
    assert stored_features("x", _connector(kind)) == {"x": feature}
    assert isinstance(feature.arrow_type, pa.DataType)


@pytest.mark.parametrize("kind", ["table", "zlib", "doubles", "ragged", "encoded"])
def test_feature_kind_that_is_not_read_is_refused_with_a_way_out(kind: str) -> None:
    with pytest.raises(SpecError, match=r"feature 'x' of the TFDS dataset is .*use kind: huggingface"):
        stored_features("x", _connector(kind))
