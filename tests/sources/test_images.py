"""Folders and tars of images."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from groupstream import ExampleError, Feature, SourceError, SpecError
from sources import Images

image_module = pytest.importorskip("PIL.Image")


def _image(shade: int, format: str = "png") -> bytes:
    stream = io.BytesIO()
    image_module.fromarray(np.full((4, 5, 3), shade, np.uint8)).save(stream, format)
    return stream.getvalue()


FILES = {f"train/{label}/{i}.png": _image(10 * i) for label in ("zebra", "ant", "élan") for i in range(3)}


def _write_folder(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def _write_tar(path: Path, files: dict[str, bytes], mode: str = "w") -> str:
    with tarfile.open(path, mode) as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return str(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    _write_folder(tmp_path / "data", FILES)
    return tmp_path / "data"


def test_folders_of_images_have_their_names_as_labels(folder: Path, read_rows: Any) -> None:
    source = Images(paths=[f"{folder}/**/*.png"])
    labels = ("ant", "zebra", "élan")
    assert source.available_features() == {
        "image": Feature(dtype="bytes", image_format="png"),
        "path": Feature(dtype="string"),
        "label": Feature(dtype="int64", labels=labels),
    }
    rows = read_rows(source)
    assert {row["path"]: (labels[row["label"]], row["image"]) for row in rows} == {
        name.removeprefix("train/"): (name.split("/")[1], data) for name, data in FILES.items()
    }
    assert [row["path"] for row in rows] == sorted(row["path"] for row in rows)


def test_tar_holds_the_same_images_as_the_folder(folder: Path, read_rows: Any) -> None:
    from_folder = read_rows(Images(paths=[f"{folder}/**/*.png"]))
    files = {**FILES, "train/README.md": b"what this is", "train/.DS_Store": b""}
    for name, mode in (("a.tar", "w"), ("a.tar.gz", "w:gz"), ("a.tar.bz2", "w:bz2")):
        source = Images(paths=[_write_tar(folder.parent / name, files, mode)])
        (piece,) = source.pieces()
        assert piece.label == name
        rows = read_rows(source)
        assert rows[0]["path"] == f"{name}/train/zebra/0.png"
        key = [(row["image"], row["label"]) for row in rows]
        assert Counter(key) == Counter((row["image"], row["label"]) for row in from_folder)


def test_thousand_files_are_a_piece_and_so_is_a_tar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write_folder(tmp_path, {f"x/{i:02d}.png": _image(0) for i in range(25)})
    _write_tar(tmp_path / "x/03.tar", FILES)
    monkeypatch.setattr("sources.images._PIECE_FILES", 10)
    pieces = Images(paths=[f"{tmp_path}/x/*"]).pieces()
    assert [piece.label for piece in pieces] == [
        "00.png ... 03.png",
        "03.tar",
        "04.png ... 13.png",
        "14.png ... 23.png",
        "24.png",
    ]


def test_batches_are_of_bounded_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write_folder(tmp_path, {f"x/{i:02d}.png": _image(0) + bytes(1_000) for i in range(25)})
    monkeypatch.setattr("sources.images.BATCH_BYTES", 5_500)
    source = Images(paths=[f"{tmp_path}/x/*"])
    (piece,) = source.pieces()
    sizes = [b.num_examples for b in source.read(piece, source.available_features(), frozenset())]
    assert sizes == [5, 5, 5, 5, 5]


def test_part_of_the_path_that_is_the_label_is_chosen(folder: Path, refusal: Any) -> None:
    source = Images(paths=[f"{folder}/**/*.png"], label_part=-3)
    assert source.available_features()["label"].labels == ("train",)
    none = Images(paths=[f"{folder}/**/*.png"], label_part=None)
    assert list(none.available_features()) == ["image", "path"]
    error = refusal(Images(paths=[f"{folder}/**/*.png"], label_part=-50))
    assert isinstance(error, SpecError)
    assert "has no part -50 to be its label" in str(error)
    with pytest.raises(ValueError, match="less than or equal to -2"):
        Images(paths=["x"], label_part=-1)


def test_labels_that_are_given_have_their_order_and_are_all(folder: Path, read_rows: Any, refusal: Any) -> None:
    labels = ["zebra", "élan", "yak", "ant"]
    source = Images(paths=[f"{folder}/**/*.png"], labels=labels)
    assert source.available_features()["label"].labels == tuple(labels)
    assert Counter(row["label"] for row in read_rows(source)) == {0: 3, 1: 3, 3: 3}
    error = refusal(Images(paths=[f"{folder}/**/*.png"], labels=["zebra", "auk"]))
    assert isinstance(error, ExampleError)
    assert "ant/0.png: 'ant' is not among source.labels; " in str(error)


def test_label_that_is_a_string_is_its_name(folder: Path, read_rows: Any) -> None:
    source = Images(paths=[f"{folder}/**/*.png"], features={"what": {"from": "label", "dtype": "string"}})
    assert source.available_features() == {"what": Feature(dtype="string")}
    assert Counter(row["what"] for row in read_rows(source)) == {"ant": 3, "zebra": 3, "élan": 3}


def test_images_of_other_formats_are_refused_unless_they_are_bytes(
    tmp_path: Path, refusal: Any, read_rows: Any
) -> None:
    files = {"x/a.jpg": _image(1, "jpeg"), "x/b.jpeg": _image(2, "jpeg"), "x/c.jpg": _image(3, "png")}
    _write_folder(tmp_path, files)
    source = Images(paths=[f"{tmp_path}/x/*"])
    assert source.available_features()["image"].image_format == "jpeg"
    error = refusal(source)
    assert isinstance(error, ExampleError)
    assert "a.jpg ... c.jpg, image 3: image is a PNG image, where the source begins with JPEG images" in str(error)
    plain = Images(paths=[f"{tmp_path}/x/*"], features={"image": "bytes"})
    assert plain.available_features() == {"image": Feature(dtype="bytes")}
    assert [row["image"] for row in read_rows(plain)] == list(files.values())


def test_file_that_is_no_image_is_refused(tmp_path: Path, refusal: Any) -> None:
    _write_folder(tmp_path, {"x/README": b"what this is"})
    assert "neither PNG nor JPEG; the first begins with b'what this is'" in str(
        refusal(Images(paths=[f"{tmp_path}/x/*"]))
    )
    empty = _write_tar(tmp_path / "empty.tar", {"README": b"x"})
    assert "empty.tar holds no image" in str(refusal(Images(paths=[empty], labels=["a"])))


@pytest.mark.parametrize(
    "damage", ["no tar", "cut in an image", "cut in a header", "cut between images", "broken header", "empty"]
)
def test_broken_tar_is_refused(damage: str, tmp_path: Path, refusal: Any) -> None:
    path = Path(_write_tar(tmp_path / "a.tar", {f"x/{i}.png": _image(i) + bytes(2_000) for i in range(3)}))
    content = path.read_bytes()
    with tarfile.open(path) as tar:
        last = tar.getmembers()[-1]
    cut = {
        "no tar": b"x" * 4_000,
        "cut in an image": content[: last.offset_data + 100],
        "cut in a header": content[: last.offset + 100],
        "cut between images": content[: last.offset],
        "broken header": content[: last.offset + 150] + b"xxxx" + content[last.offset + 154 :],
        "empty": b"",
    }
    path.write_bytes(cut[damage])
    error = refusal(Images(paths=[str(path)], labels=["x"]))
    assert isinstance(error, SourceError)
    assert f"cannot read {path}" in str(error)
    path.with_suffix(".tar.gz").write_bytes(gzip.compress(content)[:-20])
    assert isinstance(refusal(Images(paths=[f"{tmp_path}/a.tar.gz"], labels=["x"])), SourceError)


def test_file_that_is_gone_is_refused(folder: Path) -> None:
    source = Images(paths=[f"{folder}/**/*.png"])
    (piece,) = source.pieces()
    features = source.available_features()
    (folder / "train/ant/1.png").unlink()
    with pytest.raises(SourceError, match=r"cannot read .*ant/1\.png"):
        list(source.read(piece, features, frozenset()))
