"""idx files."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from groupstream import Feature, SourceError, SpecError
from sources import Idx


def _idx(array: np.ndarray) -> bytes:
    shape = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return b"\0\0\x08" + bytes([array.ndim]) + shape + array.astype(np.uint8).tobytes()


_IMAGES = np.arange(5_000 * 6).reshape(5_000, 2, 3) % 251  # more than a batch
_LABELS = np.arange(5_000) % 10
_SOURCE = Idx(images=["images"], labels=["labels"])


@pytest.fixture
def pair(write: Any) -> None:
    write("images", _idx(_IMAGES))
    write("labels", _idx(_LABELS))


@pytest.mark.usefixtures("pair")
def test_images_and_labels_are_read_pixel_for_pixel() -> None:
    assert _SOURCE.available_features() == {
        "image": Feature(dtype="uint8", shape=(2, 3, 1)),
        "label": Feature(dtype="int64"),
    }
    read = list(_SOURCE.read(_SOURCE.pieces()[0], _SOURCE.available_features(), frozenset()))
    images = np.concatenate([batch.columns["image"].to_numpy_ndarray() for batch in read])
    assert np.array_equal(images[..., 0], _IMAGES)
    assert np.array_equal(np.concatenate([batch.columns["label"].to_numpy() for batch in read]), _LABELS)
    assert [batch.num_examples for batch in read] == [4_096, 904]


def test_large_images_come_in_small_batches(write: Any) -> None:
    write("images", _idx(np.zeros((20, 1 << 10, 1 << 10))))
    write("labels", _idx(np.arange(20)))
    read = list(_SOURCE.read(_SOURCE.pieces()[0], _SOURCE.available_features(), frozenset()))
    assert [batch.num_examples for batch in read] == [8, 8, 4]
    assert np.concatenate([batch.columns["label"].to_numpy() for batch in read]).tolist() == list(range(20))


@pytest.mark.usefixtures("pair")
@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("images", b"", "images is no idx file of images: it begins with nothing, not 00 00 08 03"),
        ("images", b"\x89PNG....", "it begins with 89 50 4e 47, not 00 00 08 03"),
        ("images", b"\0\0\x0d\x03" + bytes(12), "it begins with 00 00 0d 03"),
        ("images", _idx(_LABELS), "images is no idx file of images: it begins with 00 00 08 01"),
        ("labels", _idx(_IMAGES), "labels is no idx file of labels: it begins with 00 00 08 03, not 00 00 08 01"),
        ("images", _idx(_IMAGES)[:10], "images ends within its header"),
        ("images", _idx(_IMAGES)[:-1], "images holds 29,999 bytes of data, its header says 30,000"),
        ("images", _idx(_IMAGES)[:100], "images holds 84 bytes of data, its header says 30,000"),
        ("images", _idx(_IMAGES) + b"x", "images holds at least 30,001 bytes of data, its header says 30,000"),
        ("labels", _idx(_LABELS)[:-1], "labels holds 4,999 bytes of data, its header says 5,000"),
        ("labels", _idx(_LABELS[:-1]), "images has 5,000 images"),
    ],
)
def test_wrong_file_is_refused(name: str, content: bytes, what: str, write: Any, refusal: Any) -> None:
    write(name, content)
    error = refusal(_SOURCE)
    assert isinstance(error, SourceError)
    assert what in str(error)
    assert any(way_out in str(error) for way_out in ("Check source.", "Fetch the file again", "pair them in source."))


@pytest.mark.usefixtures("pair")
def test_images_of_another_size_in_a_later_file_are_refused(write: Any, refusal: Any) -> None:
    write("images2", _idx(np.zeros((5_000, 3, 3))))
    write("labels2", _idx(_LABELS))
    message = str(refusal(Idx(images=["images*"], labels=["labels*"])))
    assert "images2 has images of (3, 3), the first file of (2, 3); build them as two datasets" in message


@pytest.mark.usefixtures("pair")
def test_another_number_of_label_files_is_refused(write: Any, refusal: Any) -> None:
    write("images2", _idx(_IMAGES))
    error = refusal(Idx(images=["images*"], labels=["labels"]))
    assert isinstance(error, SpecError)
    assert str(error) == "source.images names 2 files, source.labels 1; give as many of each"
