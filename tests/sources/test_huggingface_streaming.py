"""Hugging Face datasets that are streamed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from groupstream import Feature, SourceError
from sources import HuggingFace

datasets = pytest.importorskip("datasets")


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    for i in range(3):
        rows = [{"text": f"{i}.{j}", "tags": ["ü"] * j, "n": j} for j in range(5)]
        (tmp_path / f"data/train-{i}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return tmp_path / "data"


def _streamed(folder: Path, **fields: Any) -> HuggingFace:
    return HuggingFace(dataset=str(folder), streaming=True, **fields)


def test_pieces_are_the_shards(folder: Path, tmp_path: Path, read_rows: Any) -> None:
    source = _streamed(folder)
    assert [piece.label for piece in source.pieces()] == [f"train, shard {i} of 3" for i in (1, 2, 3)]
    assert [row["text"] for row in read_rows(source)] == [f"{i}.{j}" for i in range(3) for j in range(5)]
    assert read_rows(source) == read_rows(HuggingFace(dataset=str(folder)))
    assert source.available_features() == HuggingFace(dataset=str(folder)).available_features()


def test_nothing_is_kept_on_disk(folder: Path, tmp_path: Path, read_rows: Any) -> None:
    assert len(read_rows(_streamed(folder))) == 15
    assert not list((tmp_path / "cache").rglob("*.arrow"))


def test_features_are_chosen_renamed_and_cast(folder: Path, read_rows: Any) -> None:
    source = _streamed(folder, features={"words": {"from": "text"}, "n": "float32"})
    assert source.available_features() == {"words": Feature(dtype="string"), "n": Feature(dtype="float32")}
    assert read_rows(source)[-1] == {"words": "2.4", "n": 4.0}


def test_class_labels_keep_their_names(tmp_path: Path, read_rows: Any) -> None:
    kinds = datasets.Features({"y": datasets.ClassLabel(names=["no", "yes"])})
    (tmp_path / "data").mkdir()
    datasets.Dataset.from_dict({"y": [0, 1]}, features=kinds).to_parquet(str(tmp_path / "data/train.parquet"))
    source = _streamed(tmp_path / "data", features={"label": {"from": "y"}})
    assert source.available_features() == {"label": Feature(dtype="int64", labels=("no", "yes"))}
    assert read_rows(source) == [{"label": 0}, {"label": 1}]


def test_large_examples_come_in_small_batches(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    pq.write_table(pa.table({"text": ["x" * (1 << 20)] * 20}), tmp_path / "data/train.parquet")
    source = _streamed(tmp_path / "data")
    (piece,) = source.pieces()
    sizes = [len(batch.columns) for batch in source.read(piece, source.available_features(), frozenset())]
    assert sum(sizes) == 20
    assert max(sizes) <= 8


class _TwoChunks:
    """What the library gives for a batch of over 2 GiB of text: a table that Arrow cannot make one batch of."""

    def with_format(self, format: str) -> _TwoChunks:
        return self

    def iter(self, batch_size: int) -> Iterator[_TwoChunks]:
        yield self

    def combine_chunks(self) -> pa.Table:
        return pa.concat_tables([pa.table({"text": ["a", "b"]}), pa.table({"text": ["c"]})])


def test_batch_that_arrow_divides_is_read_to_its_end() -> None:
    batches = HuggingFace(dataset="x", streaming=True)._streamed(_TwoChunks(), 10_000, "train")
    assert [row["text"] for batch in batches for row in batch.to_pylist()] == ["a", "b", "c"]


def test_value_that_does_not_fit_is_named_with_its_shard(folder: Path, refusal: Any) -> None:
    message = str(refusal(_streamed(folder, features={"text": "int64"})))
    assert message.startswith("train, shard 1 of 3, row 1: text is '0.0', which is no int64. ")


def test_file_that_breaks_off_is_refused(folder: Path, refusal: Any) -> None:
    (folder / "train-1.jsonl").write_text('{"text": "a", "tags": [], "n": 1}\n{"text": ')
    error = refusal(_streamed(folder))
    assert isinstance(error, SourceError)
    assert f"{folder}, train" in str(error)
    assert "cannot be read: " in str(error)


def test_saved_folder_is_not_streamed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="leave streaming out"):
        HuggingFace(folder=str(tmp_path), streaming=True)
