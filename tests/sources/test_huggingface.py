"""Hugging Face datasets."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from groupstream import Feature, SourceError, SpecError
from sources import HuggingFace

datasets = pytest.importorskip("datasets")


@pytest.fixture(autouse=True)
def _offline_and_quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()


def _dataset(size: int = 10) -> Any:
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["even", "odd"])}
    )
    return datasets.Dataset.from_dict(
        {"text": [f"t{i}" for i in range(size)], "label": [i % 2 for i in range(size)]}, features=features
    )


def _texts(rows: list[dict[str, Any]]) -> list[str]:
    return [row["text"] for row in rows]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    _dataset().save_to_disk(str(tmp_path / "saved"))
    return tmp_path / "saved"


def test_folder_of_save_to_disk_is_read(saved: Path, read_rows: Any) -> None:
    source = HuggingFace(folder=str(saved))
    assert source.available_features() == {
        "text": Feature(dtype="string"),
        "label": Feature(dtype="int64", labels=("even", "odd")),
    }
    assert read_rows(source) == [{"text": f"t{i}", "label": i % 2} for i in range(10)]


def test_split_of_a_saved_dict_is_chosen(tmp_path: Path, read_rows: Any, refusal: Any) -> None:
    datasets.DatasetDict(train=_dataset(), test=_dataset(3)).save_to_disk(str(tmp_path / "saved"))
    folder = str(tmp_path / "saved")
    assert len(read_rows(HuggingFace(folder=folder))) == 10
    assert len(read_rows(HuggingFace(folder=folder, split="test"))) == 3
    error = refusal(HuggingFace(folder=folder, split="tests"))
    assert isinstance(error, SpecError)
    assert f"source.split 'tests' is not in {folder}; did you mean 'test'? it has test, train" in str(error)


def test_shuffled_selection_is_read_in_its_own_order(tmp_path: Path, read_rows: Any) -> None:
    shuffled = _dataset(1_000).shuffle(seed=3).select(range(50, 300))
    assert shuffled._indices is not None
    shuffled.save_to_disk(str(tmp_path / "saved"))
    assert _texts(read_rows(HuggingFace(folder=str(tmp_path / "saved")))) == shuffled["text"][:]


def test_rows_follow_an_indices_mapping_that_is_still_there(
    saved: Path, monkeypatch: pytest.MonkeyPatch, read_rows: Any
) -> None:
    shuffled = _dataset(100).shuffle(seed=3)
    assert shuffled._indices is not None
    monkeypatch.setattr(datasets, "load_from_disk", lambda folder: shuffled)
    assert _texts(read_rows(HuggingFace(folder=f"{saved}/"))) == shuffled["text"][:]


def test_pieces_hold_a_hundred_thousand_examples_and_batches_ten_thousand(tmp_path: Path) -> None:
    datasets.Dataset.from_dict({"n": range(200_001)}).save_to_disk(str(tmp_path / "saved"))
    source = HuggingFace(folder=str(tmp_path / "saved"))
    assert [piece.label for piece in source.pieces()] == [
        "train[0:100000]",
        "train[100000:200000]",
        "train[200000:200001]",
    ]
    features = source.available_features()
    found = [[b.columns["n"] for b in source.read(piece, features, frozenset())] for piece in source.pieces()]
    assert [max(map(len, batches)) for batches in found] == [10_000, 10_000, 1]
    assert pa.concat_arrays([b for batches in found for b in batches]).to_pylist() == list(range(200_001))


def test_folder_of_parquet_is_read_as_a_dataset(tmp_path: Path, read_rows: Any, refusal: Any) -> None:
    (tmp_path / "data").mkdir()
    pq.write_table(pa.table({"text": ["a", None, "c"]}), tmp_path / "data/train.parquet")
    source = HuggingFace(dataset=str(tmp_path / "data"))
    assert read_rows(source) == [{"text": "a"}, {"text": None}, {"text": "c"}]
    assert source.identity()["num_files"] == 1
    assert "split 'test': Unknown split" in str(refusal(HuggingFace(dataset=str(tmp_path / "data"), split="test")))
    assert "'en' not found" in str(refusal(HuggingFace(dataset=str(tmp_path / "data"), config="en")))


def test_folder_that_was_saved_again_is_read_again(saved: Path, read_rows: Any) -> None:
    source = HuggingFace(folder=str(saved))
    before = source.identity()
    assert len(read_rows(source)) == 10
    _dataset(4).save_to_disk(str(saved))
    assert len(read_rows(source)) == 4
    assert source.identity() != before


@pytest.mark.parametrize("name", ["nobody/no-such-dataset", "./no/such/folder"])
def test_dataset_that_is_not_there_is_refused(name: str, refusal: Any) -> None:
    error = refusal(HuggingFace(dataset=name))
    assert isinstance(error, SourceError)
    assert f"cannot load {name!r}, split 'train': " in str(error)
    assert "Check source.dataset" in str(error)


def test_folder_that_was_not_saved_is_refused(tmp_path: Path, refusal: Any) -> None:
    assert "source.folder" in str(refusal(HuggingFace(folder=str(tmp_path / "none"))))
    assert "source.folder" in str(refusal(HuggingFace(folder=str(tmp_path))))


def test_missing_package_is_named_with_what_to_run(saved: Path, monkeypatch: pytest.MonkeyPatch, refusal: Any) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert "needs a package" in str(refusal(HuggingFace(folder=f"{saved}//")))


def _save(tmp_path: Path, **columns: Any) -> str:
    datasets.Dataset(pa.table(columns)).save_to_disk(str(tmp_path / "saved"))
    return str(tmp_path / "saved")


def test_types_are_cast_to_what_the_spec_declares(tmp_path: Path, read_rows: Any, refusal: Any) -> None:
    folder = _save(tmp_path, x=[0.5, 1.25], when=pa.array([0, 1], pa.timestamp("s")), tags=[[1], []])
    error = refusal(HuggingFace(folder=folder))
    assert isinstance(error, SpecError)
    assert "feature 'x' is double" in str(error)
    source = HuggingFace(folder=folder, features={"x": "float32", "when": "string", "tags": "string"})
    assert read_rows(source) == [
        {"x": 0.5, "when": "1970-01-01 00:00:00", "tags": ["1"]},
        {"x": 1.25, "when": "1970-01-01 00:00:01", "tags": []},
    ]


def test_value_that_does_not_fit_is_named_with_its_row(tmp_path: Path, refusal: Any) -> None:
    folder = _save(tmp_path, n=[*range(5_000), 2**40])
    message = str(refusal(HuggingFace(folder=folder, features={"n": "int32"})))
    assert message.startswith(f"train, row 5001: n is {2**40}, which is no int32. ")


def test_nested_feature_is_stored_as_json_where_a_string_is_declared(tmp_path: Path, read_rows: Any) -> None:
    folder = _save(tmp_path, meta=[{"a": "é", "b": [1]}, None])
    source = HuggingFace(folder=folder, features={"meta": "string"})
    assert read_rows(source) == [{"meta": '{"a":"é","b":[1]}'}, {"meta": None}]


def test_nested_bytes_are_no_json(tmp_path: Path, refusal: Any) -> None:
    folder = _save(tmp_path, image=[{"bytes": b"\x89PNG"}])
    message = str(refusal(HuggingFace(folder=folder, features={"image": "string"})))
    assert "train, row 1: image is {'bytes': b'\\x89PNG'}, which is no UTF-8 text" in message


@pytest.mark.parametrize("fields", [{}, {"dataset": "x", "folder": "y"}])
def test_name_and_folder_exclude_each_other(fields: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"give dataset .* or folder .*, one of the two"):
        HuggingFace.model_validate(fields)
