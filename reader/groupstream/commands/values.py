"""The value of a feature in a few words: images and tensors by their size, text as it is."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from groupstream.commands.printing import cut, format_bytes, one_line

if TYPE_CHECKING:
    import numpy as np

    from groupstream.features import Feature

SHOWN_CHARACTERS = 200
_PNG_START = b"\x89PNG\r\n\x1a\n"
_JPEG_START = b"\xff\xd8"
_JPEG_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # the segments that begin with the size of the image
_JPEG_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}


def describe_value(value: Any, feature: Feature) -> str:
    """One line, ready for a terminal."""
    if value is None:
        return "(missing)"
    if feature.image_format and isinstance(value, bytes):
        return _describe_image(value)
    if feature.is_tensor:
        return _describe_tensor(value, feature)
    if feature.labels and isinstance(value, int) and 0 <= value < len(feature.labels):
        return f"{value} ({one_line(feature.labels[value])})"
    if isinstance(value, bytes) and not _is_text(value):
        return cut(one_line(value[:SHOWN_CHARACTERS]), SHOWN_CHARACTERS, f" ... ({format_bytes(len(value))})")
    text = value.decode() if isinstance(value, bytes) else str(value)
    return cut(one_line(" ".join(text.split())), SHOWN_CHARACTERS)


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _describe_image(data: bytes) -> str:
    kind, size = image_size(data)
    shown = f" {size[0]} × {size[1]}" if size else ""
    return f"{kind} image{shown}, {format_bytes(len(data))}"


def _describe_tensor(value: np.ndarray, feature: Feature) -> str:
    shape = " × ".join(map(str, feature.tensor_shape))
    return f"{feature.dtype} tensor {shape}, {value.min()} to {value.max()}"


def image_size(data: bytes) -> tuple[str, tuple[int, int] | None]:
    """The format of an image and its width and height in pixels, from its header: no library, no decoding.

    >>> image_size(_PNG_START + struct.pack(">I4sII", 13, b"IHDR", 28, 20))
    ('png', (28, 20))
    >>> image_size(b"GIF89a")
    ('unknown', None)
    """
    if data.startswith(_PNG_START):
        return "png", struct.unpack_from(">II", data, 16) if len(data) >= 24 else None
    if data.startswith(_JPEG_START):
        return "jpeg", _jpeg_size(data)
    return "unknown", None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Walks the segments up to the first frame. Source: ITU T.81, annex B."""
    position = 2
    while position + 9 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, position + 5)
            return width, height
        if marker == 0xFF:  # fill byte
            position += 1
        elif marker in _JPEG_WITHOUT_LENGTH:
            position += 2
        else:
            position += 2 + struct.unpack_from(">H", data, position + 2)[0]
    return None
