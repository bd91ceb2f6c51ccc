"""How `groupstream head` shows values."""

from __future__ import annotations

import io
import os
from typing import Any

import numpy as np
import pytest

from groupstream import Feature
from groupstream.commands.values import describe_value, image_size

IMAGE = Feature(dtype="bytes", image_format="jpeg")


def encoded(kind: str, **options: Any) -> bytes:
    images = pytest.importorskip("PIL.Image")
    data = io.BytesIO()
    images.new("RGB", (31, 17)).save(data, kind, **options)
    return data.getvalue()


@pytest.mark.parametrize(
    ("kind", "options"),
    [("png", {}), ("jpeg", {}), ("jpeg", {"progressive": True}), ("jpeg", {"exif": b"Exif\0\0" + bytes(5_000)})],
)
def test_the_size_of_an_image_is_read_from_its_header(kind: str, options: dict[str, Any]) -> None:
    data = encoded(kind, **options)
    assert image_size(data) == (kind, (31, 17))
    assert describe_value(data, IMAGE).startswith(f"{kind} image 31 × 17, ")


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_an_image_that_is_cut_or_damaged_has_no_size_and_breaks_nothing(kind: str) -> None:
    data = encoded(kind)
    for length in range(len(data)):
        found, size = image_size(data[:length])
        assert (found, size) in [(kind, (31, 17)), (kind, None), ("unknown", None)]
    for position in range(2, 64):
        image_size(data[:position] + b"\xff" + data[position + 1 :])
    assert image_size(b"\xff\xd8" + b"\xff\xe0\x00\x00" * 10) == ("jpeg", None)


@pytest.mark.parametrize(
    ("value", "feature", "expected"),
    [
        (None, Feature(dtype="string", optional=True), "(missing)"),
        (np.zeros((2, 3), np.float32), Feature(dtype="float32", shape=(2, 3)), "float32 tensor 2 × 3, 0.0 to 0.0"),
        (1, Feature(dtype="int64", labels=("cat", "d\x07g")), r"1 (d\x07g)"),
        (9, Feature(dtype="int64", labels=("cat",)), "9"),
        ([1, 2], Feature(dtype="int64", shape=(None,)), "[1, 2]"),
        (b"\xff\x00", Feature(dtype="bytes"), r"\xff\x00"),
        (b"\xff" * 500, Feature(dtype="bytes"), r"\xff" * 50 + " ... (500 bytes)"),
        (b"plain", Feature(dtype="bytes"), "plain"),
        ("two\nlines\x1b", Feature(dtype="string"), r"two lines\x1b"),
        ("y" * 201, Feature(dtype="string"), "y" * 200 + " ..."),
        (b"", IMAGE, "unknown image, 0 bytes"),
    ],
)
def test_a_value_is_one_short_line(value: Any, feature: Feature, expected: str) -> None:
    assert describe_value(value, feature) == expected


def test_head_shows_tensors_by_their_size(shown: Any) -> None:
    assert "image  uint8 tensor 4 × 4 × 1, " in shown("head", "digits", "--examples", "1")


def test_a_group_whose_id_is_not_utf_8_can_be_named(make_version: Any, shown: Any) -> None:
    root = str(make_version([{"x": 1}], [b"\xff"], {"x": Feature(dtype="int64")}))
    assert "1 example)" in shown("head", "made", "--group", os.fsdecode(b"\xff"), "--root", root)
