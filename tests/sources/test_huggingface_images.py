"""Images of Hugging Face datasets: their bytes are kept as they are."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from groupstream import ExampleError, Feature, SpecError
from sources import HuggingFace

datasets = pytest.importorskip("datasets")
image_module = pytest.importorskip("PIL.Image")


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()


def _image(format: str, shade: int = 0) -> bytes:
    stream = io.BytesIO()
    image_module.fromarray(np.full((4, 5, 3), shade, np.uint8)).save(stream, format)
    return stream.getvalue()


def _save(tmp_path: Path, images: list[Any]) -> str:
    features = datasets.Features({"n": datasets.Value("int64"), "image": datasets.Image()})
    loaded = datasets.Dataset.from_dict({"n": range(len(images)), "image": images}, features=features)
    loaded.save_to_disk(str(tmp_path / "saved"))
    return str(tmp_path / "saved")


@pytest.mark.parametrize("format", ["png", "jpeg"])
def test_images_are_features_of_their_encoded_bytes(format: str, tmp_path: Path, read_rows: Any) -> None:
    images = [None, *(_image(format, shade) for shade in range(30))]
    source = HuggingFace(folder=_save(tmp_path, images))
    features = source.available_features()
    assert features["image"] == Feature(dtype="bytes", image_format=format)
    assert [row["image"] for row in read_rows(source)] == images


def test_images_given_as_paths_are_read(tmp_path: Path, read_rows: Any) -> None:
    (tmp_path / "folder/train").mkdir(parents=True)
    images = [_image("png", shade) for shade in range(3)]
    for i, image in enumerate(images):
        (tmp_path / f"folder/train/{i}.png").write_bytes(image)
    source = HuggingFace(dataset=str(tmp_path / "folder"))
    assert source.available_features() == {"image": Feature(dtype="bytes", image_format="png")}
    assert [row["image"] for row in read_rows(source)] == images


def test_image_in_another_format_is_refused_with_a_way_out(tmp_path: Path, refusal: Any, read_rows: Any) -> None:
    images = [*(_image("png", shade) for shade in range(40)), _image("jpeg")]
    folder = _save(tmp_path, images)
    error = refusal(HuggingFace(folder=folder))
    assert isinstance(error, ExampleError)
    assert str(error).startswith("train, row 41: image is a JPEG image, where the source begins with PNG images. ")
    source = HuggingFace(folder=folder, features={"image": "bytes"})
    assert source.available_features() == {"image": Feature(dtype="bytes")}
    assert [row["image"] for row in read_rows(source)] == images


def test_images_in_an_unknown_format_are_refused_unless_they_are_bytes(
    tmp_path: Path, refusal: Any, read_rows: Any
) -> None:
    folder = _save(tmp_path, [_image("bmp")])
    error = refusal(HuggingFace(folder=folder))
    assert isinstance(error, SpecError)
    assert "neither PNG nor JPEG; the first begins with b'BM" in str(error)
    assert read_rows(HuggingFace(folder=folder, features={"image": "bytes"})) == [{"image": _image("bmp")}]


def test_image_is_renamed(tmp_path: Path, read_rows: Any) -> None:
    source = HuggingFace(folder=_save(tmp_path, [_image("png")]), features={"picture": {"from": "image"}})
    assert source.available_features() == {"picture": Feature(dtype="bytes", image_format="png")}
    assert read_rows(source) == [{"picture": _image("png")}]


def test_images_that_are_not_kept_are_not_read(tmp_path: Path, read_rows: Any) -> None:
    for i, name in enumerate(["cat", "dog"]):
        (tmp_path / "folder/train" / name).mkdir(parents=True)
        (tmp_path / f"folder/train/{name}/{i}.png").write_bytes(_image("png"))
    source = HuggingFace(dataset=str(tmp_path / "folder"), features=["label"])
    assert len(source.pieces()) == 1
    for file in (tmp_path / "folder").rglob("*.png"):
        file.unlink()
    assert source.available_features() == {"label": Feature(dtype="int64", labels=("cat", "dog"))}
    assert read_rows(source) == [{"label": 0}, {"label": 1}]
