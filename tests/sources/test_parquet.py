"""Parquet files."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from groupstream import ExampleError, Feature, SourceError, SpecError
from sources import Parquet


def _write(folder: Path, name: str = "a.parquet", row_group_size: int | None = None, **columns: Any) -> str:
    pq.write_table(pa.table(columns), folder / name, row_group_size=row_group_size)
    return str(folder / name)


def test_features_are_those_of_the_schema(tmp_path: Path, read_rows: Any) -> None:
    path = _write(
        tmp_path,
        text=["é", None],
        tags=[["a"], []],
        n=pa.array([1, 2], pa.int16()),
        blob=[b"\xff", b""],
        vector=pa.array([[1, 2], [3, 4]], pa.list_(pa.float32(), 2)),
        kind=pa.array(["x", "y"]).dictionary_encode(),
    )
    source = Parquet(paths=[path])
    assert source.available_features() == {
        "text": Feature(dtype="string"),
        "tags": Feature(dtype="string", shape=(None,)),
        "n": Feature(dtype="int16"),
        "blob": Feature(dtype="bytes"),
        "vector": Feature(dtype="float32", shape=(2,)),
        "kind": Feature(dtype="string"),
    }
    assert read_rows(source) == [
        {"text": "é", "tags": ["a"], "n": 1, "blob": b"\xff", "vector": [1, 2], "kind": "x"},
        {"text": None, "tags": [], "n": 2, "blob": b"", "vector": [3, 4], "kind": "y"},
    ]


def test_small_row_groups_are_a_piece_together_and_large_ones_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_rows: Any
) -> None:
    path = _write(tmp_path, row_group_size=10, n=list(range(95)))
    size = pq.ParquetFile(path).metadata.row_group(0).total_byte_size
    source = Parquet(paths=[path])
    assert [(p.part.start, p.part.end) for p in source.pieces()] == [(0, 10)]
    for limit, spans in ((3 * size, [(0, 3), (3, 6), (6, 9), (9, 10)]), (size - 1, [(i, i + 1) for i in range(10)])):
        monkeypatch.setattr("sources.parquet._PIECE_BYTES", limit)
        assert [(p.part.start, p.part.end) for p in source.pieces()] == spans
        assert [row["n"] for row in read_rows(source)] == list(range(95))
    assert source.pieces()[1].label == "a.parquet from row group 1"


def test_large_rows_come_in_small_batches_and_small_ones_in_large(tmp_path: Path) -> None:
    for value, num_rows, expected in (("x" * (1 << 20), 40, 8), ("y", 30_000, 10_000)):
        source = Parquet(paths=[_write(tmp_path, text=[f"{i}{value}" for i in range(num_rows)])])
        (piece,) = source.pieces()
        sizes = [len(b.columns) for b in source.read(piece, source.available_features(), frozenset())]
        assert sum(sizes) == num_rows
        assert expected // 2 < max(sizes) <= expected


def test_only_the_features_that_are_kept_are_read(tmp_path: Path, read_rows: Any) -> None:
    path = _write(tmp_path, first=["a", "b"] * 1_000, second=[str(i) for i in range(2_000)])
    start = pq.ParquetFile(path).metadata.row_group(0).column(1).dictionary_page_offset
    broken = bytearray(Path(path).read_bytes())
    broken[start : start + 40] = bytes(40)
    Path(path).write_bytes(broken)
    assert len(read_rows(Parquet(paths=[path], features=["first"]))) == 2_000
    with pytest.raises(SourceError, match=r"cannot read .*a\.parquet"):
        read_rows(Parquet(paths=[path]))


def test_features_are_renamed_and_cast(tmp_path: Path, read_rows: Any, refusal: Any) -> None:
    path = _write(tmp_path, x=[0.5, 2.0], y=["1", "2"], z=[1, 2])
    wanted = {"score": {"from": "x", "dtype": "float32"}, "y": "int64", "z": {}}
    source = Parquet(paths=[path], features=wanted)
    assert source.available_features() == {
        "score": Feature(dtype="float32"),
        "y": Feature(dtype="int64"),
        "z": Feature(dtype="int64"),
    }
    assert read_rows(source) == [{"score": 0.5, "y": 1, "z": 1}, {"score": 2.0, "y": 2, "z": 2}]
    error = refusal(Parquet(paths=[path], features={"x": "int64"}))
    assert isinstance(error, ExampleError)
    assert str(error).startswith("a.parquet, row 1: x is 0.5, which is no int64. ")
    assert "feature 'x' is double" in str(refusal(Parquet(paths=[path], features={"w": {"from": "x"}})))


def test_nested_column_is_json_where_a_string_is_declared(tmp_path: Path, read_rows: Any, refusal: Any) -> None:
    path = _write(tmp_path, meta=[{"a": "é", "b": [1]}, None], more=[[[1], [2, 3]], []])
    assert isinstance(refusal(Parquet(paths=[path])), SpecError)
    assert read_rows(Parquet(paths=[path], features={"meta": "string", "more": "string"})) == [
        {"meta": '{"a":"é","b":[1]}', "more": "[[1],[2,3]]"},
        {"meta": None, "more": "[]"},
    ]


def test_name_of_the_file_is_a_feature(tmp_path: Path, read_rows: Any) -> None:
    for name in "ab":
        _write(tmp_path, f"{name}.parquet", n=[1, 2])
    source = Parquet(paths=[f"{tmp_path}/*"], path_feature="file", features={"file": {}})
    assert read_rows(source) == [{"file": name} for name in ("a.parquet", "a.parquet", "b.parquet", "b.parquet")]


def test_column_that_comes_up_later_is_refused_unless_features_are_chosen(
    tmp_path: Path, refusal: Any, read_rows: Any
) -> None:
    _write(tmp_path, "1.parquet", n=[1])
    _write(tmp_path, "2.parquet", n=[2.0], new=["x"])
    assert "2.parquet, schema: new appears here but not" in str(refusal(Parquet(paths=[f"{tmp_path}/*"])))
    assert read_rows(Parquet(paths=[f"{tmp_path}/*"], features=["n"])) == [{"n": 1}, {"n": 2}]
    _write(tmp_path, "2.parquet", m=[2])
    message = str(refusal(Parquet(paths=[f"{tmp_path}/*"], features=["n"])))
    assert "2.parquet, row 1: feature 'n' is not there" in message


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no parquet at all"])
def test_file_that_is_no_parquet_is_refused(content: bytes, tmp_path: Path, refusal: Any) -> None:
    (tmp_path / "a.parquet").write_bytes(content)
    error = refusal(Parquet(paths=[f"{tmp_path}/a.parquet"]))
    assert isinstance(error, SourceError)
    assert f"a.parquet ({len(content):,} bytes)" in str(error)


def test_file_without_rows_has_its_features(tmp_path: Path, read_rows: Any) -> None:
    source = Parquet(paths=[_write(tmp_path, n=pa.array([], pa.int64()))])
    assert source.available_features() == {"n": Feature(dtype="int64")}
    assert read_rows(source) == []


def test_file_that_was_written_anew_is_looked_at_again(tmp_path: Path) -> None:
    source = Parquet(paths=[_write(tmp_path, a=["1"])])
    assert list(source.available_features()) == ["a"]
    _write(tmp_path, b=["1"])
    assert list(source.available_features()) == ["b"]


def _image(format: str) -> bytes:
    stream = io.BytesIO()
    pytest.importorskip("PIL.Image").fromarray(np.zeros((4, 5, 3), np.uint8)).save(stream, format)
    return stream.getvalue()


def test_images_and_class_names_of_hugging_face_are_known(tmp_path: Path, read_rows: Any, refusal: Any) -> None:
    images = pa.array([{"bytes": _image("png"), "path": "a.png"}, None])
    table = pa.table({"image": images, "label": [0, 1]})
    noted = {"info": {"features": {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["n", "y"]}}}}
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(noted)}), tmp_path / "a.parquet")
    source = Parquet(paths=[f"{tmp_path}/*"], features={"picture": {"from": "image"}, "label": {}})
    assert source.available_features() == {
        "picture": Feature(dtype="bytes", image_format="png"),
        "label": Feature(dtype="int64", labels=("n", "y")),
    }
    assert read_rows(source) == [{"picture": _image("png"), "label": 0}, {"picture": None, "label": 1}]


def test_file_without_the_images_of_the_first_is_refused(tmp_path: Path, refusal: Any) -> None:
    pq.write_table(pa.table({"image": [{"bytes": _image("png"), "path": "a"}], "n": [0]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"n": [1]}), tmp_path / "b.parquet")
    message = str(refusal(Parquet(paths=[f"{tmp_path}/*"])))
    assert message == "b.parquet, row 1: feature 'image' is not there; it has n"


def test_image_in_another_format_or_by_its_path_alone_is_refused(tmp_path: Path, refusal: Any) -> None:
    both = [{"bytes": _image(format), "path": None} for format in ("png", "jpeg")]
    path = _write(tmp_path, image=pa.array(both))
    assert "a.parquet, row 2: image is a JPEG image" in str(refusal(Parquet(paths=[path])))
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    path = _write(tmp_path, image=pa.array([both[0], None, {"bytes": None, "path": "b.png"}], kind))
    assert "a.parquet, row 3: image is the path 'b.png' without its bytes" in str(refusal(Parquet(paths=[path])))
