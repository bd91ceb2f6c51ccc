"""Images as data URLs, so that the page needs no other file."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_SIDE = 512  # pixels; larger tensors are thinned, which is enough to see what they show


def data_url(data: bytes, image_format: str) -> str:
    """The URL of an encoded image."""
    return f"data:image/{image_format};base64,{base64.b64encode(data).decode()}"


def is_picture(value: npt.NDArray[Any]) -> bool:
    """Whether an array is a grey or colour image: uint8, (height, width, 1 or 3), not empty."""
    return value.dtype == np.uint8 and value.ndim == 3 and value.shape[2] in (1, 3) and value.size > 0


def encode_png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """A PNG of an array of shape (height, width, 1 or 3).

    Source: PNG specification, third edition, sections 5 and 11: header, one compressed block of lines
    that each begin with filter type 0, end.
    """
    step = max(1, -(-max(pixels.shape[:2]) // MAX_SIDE))
    thinned = pixels[::step, ::step]
    height, width, channels = thinned.shape
    lines = np.zeros((height, 1 + width * channels), np.uint8)
    lines[:, 1:] = thinned.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if channels == 1 else 2, 0, 0, 0)
    body = zlib.compress(lines.tobytes(), 9)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
