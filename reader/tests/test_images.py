from __future__ import annotations

import io
import struct
import sys
import zlib
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from groupstream import ExampleError, UsageError
from groupstream.images import decode_images

PIXELS = (np.arange(2 * 3 * 4) * 10).astype(np.uint8).reshape(2, 3, 4)


def encoded(pixels: np.ndarray, kind: str = "PNG", **options: Any) -> bytes:
    image = pytest.importorskip("PIL.Image")
    target = io.BytesIO()
    image.fromarray(pixels).save(target, kind, **options)
    return target.getvalue()


def with_mode(mode: str, color: Any, **options: Any) -> bytes:
    image = pytest.importorskip("PIL.Image")
    target = io.BytesIO()
    image.new(mode, (3, 2), color).save(target, "PNG", **options)
    return target.getvalue()


def huge_png(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header promises many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("num_channels", [1, 2, 3, 4])
def test_a_png_decodes_to_its_pixels(num_channels: int) -> None:
    pixels = PIXELS[:, :, :num_channels]
    data = encoded(pixels[:, :, 0] if num_channels == 1 else pixels)
    (found,) = decode_images(pa.array([data]))
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, pixels)
    found[0, 0, 0] = 255  # nobody else sees it


def test_a_jpeg_decodes_near_its_pixels() -> None:
    pixels = np.full((8, 16, 3), (200, 100, 50), np.uint8)
    found, nothing = decode_images(pa.array([encoded(pixels, "JPEG", quality=95), None]))
    assert nothing is None
    assert found.shape == (8, 16, 3)
    assert np.abs(found.astype(int) - pixels).max() <= 5


def test_an_orientation_in_exif_is_not_applied() -> None:
    image = pytest.importorskip("PIL.Image")
    exif = image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    (found,) = decode_images(pa.array([encoded(PIXELS[:, :, :3], "PNG", exif=exif)]))
    np.testing.assert_array_equal(found, PIXELS[:, :, :3])


@pytest.mark.parametrize(
    ("mode", "color", "options", "expected"),
    [
        ("1", 1, {}, [255]),
        ("P", 0, {}, [0, 0, 0]),
        ("P", 0, {"transparency": 0}, [0, 0, 0, 0]),
        ("I;16", 0xABCD, {}, [0xAB]),
    ],
)
def test_every_kind_of_png_has_channels_of_8_bits(mode: str, color: Any, options: Any, expected: list[int]) -> None:
    (found,) = decode_images(pa.array([with_mode(mode, color, **options)]))
    np.testing.assert_array_equal(found, np.tile(np.array(expected, np.uint8), (2, 3, 1)))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"the value at position 1 \(0 bytes\) is neither a PNG nor a JPEG"),
        (b"GIF89a" + bytes(20), "the value at position 1 .* is neither a PNG nor a JPEG"),
        (huge_png(10_000, 10_000), "position 1 has 10000 × 10000 pixels, more than max_pixels=67,108,864"),
        (huge_png(100_000, 100_000), "position 1 cannot be decoded: .*decompression bomb"),
    ],
)
def test_what_is_no_image_is_named(data: bytes, message: str) -> None:
    with pytest.raises(ExampleError, match=message):
        decode_images(pa.array([encoded(PIXELS), data]))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_an_image_cut_anywhere_is_named(kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    data = encoded(noise, kind)
    for size in range(0, len(data) - 20, 7):
        with pytest.raises(ExampleError, match="at position 0"):
            decode_images(pa.array([data[:size]]))


def test_a_larger_limit_may_be_given() -> None:
    data = encoded(np.zeros((10, 10, 3), np.uint8))
    assert decode_images(pa.array([data]), max_pixels=100)[0].shape == (10, 10, 3)
    with pytest.raises(ExampleError, match="more than max_pixels=99"):
        decode_images(pa.array([data]), max_pixels=99)


def test_without_pillow_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(UsageError, match=r"pip install 'groupstream\[images\]'"):
        decode_images(pa.array([b""]))
