"""Images as data URLs, so that the page needs no other file."""

from __future__ import annotations

import base64
import io
import struct
import warnings
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_SIDE = 512  # pixels; larger images are made smaller, which is enough to see what they show
_MAX_PIXELS = 1 << 26


def data_url(data: bytes, image_format: str) -> str:
    """The URL of an encoded image."""
    return f"data:image/{image_format};base64,{base64.b64encode(data).decode()}"


def is_picture(value: npt.NDArray[Any]) -> bool:
    """Whether an array is a grey or colour image: uint8, (height, width, 1 or 3), not empty."""
    return value.dtype == np.uint8 and value.ndim == 3 and value.shape[2] in (1, 3) and value.size > 0


def thumbnail(data: bytes, image_format: str, max_bytes: int) -> bytes | None:
    """An encoded image of at most so many bytes that shows the same: itself, if it is small enough.

    None where it cannot be made smaller: it is damaged, has more than 67 million pixels, or Pillow is not installed.
    """
    if len(data) <= max_bytes:
        return data
    try:
        from PIL import Image

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=[image_format.upper()])
            if image.width * image.height > _MAX_PIXELS:
                return None
            image.thumbnail((MAX_SIDE, MAX_SIDE))
            return _smallest(image, image_format, max_bytes)
    except (ImportError, OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError):
        return None


def _smallest(image: Any, image_format: str, max_bytes: int) -> bytes | None:
    """The largest of ever smaller copies that fits."""
    while True:
        buffer = io.BytesIO()
        image.save(buffer, image_format.upper())
        if buffer.tell() <= max_bytes:
            return buffer.getvalue()
        if max(image.size) < 16:
            return None
        image = image.resize((max(1, image.width // 2), max(1, image.height // 2)))


def small_png(pixels: npt.NDArray[np.uint8], max_bytes: int) -> bytes:
    """A PNG of an array, thinned until it takes no more than so many bytes, or has a single pixel."""
    side = MAX_SIDE
    while len(data := encode_png(pixels, side)) > max_bytes and side > 1:
        side //= 2
    return data


def encode_png(pixels: npt.NDArray[np.uint8], max_side: int = MAX_SIDE) -> bytes:
    """A PNG of an array of shape (height, width, 1 or 3); of a larger one than `max_side`, every second line or so.

    Source: PNG specification, third edition, sections 5 and 11: header, one compressed block of lines
    that each begin with filter type 0, end.
    """
    step = max(1, -(-max(pixels.shape[:2]) // max_side))
    thinned = pixels[::step, ::step]
    height, width, channels = thinned.shape
    lines = np.zeros((height, 1 + width * channels), np.uint8)
    lines[:, 1:] = thinned.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if channels == 1 else 2, 0, 0, 0)
    body = zlib.compress(lines.tobytes(), 9)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
