"""Encoded images, decoded to pixels. Needs Pillow: pip install 'groupstream[images]'."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import pyarrow as pa

from groupstream.errors import ExampleError, UsageError

MAX_PIXELS = 1 << 26  # 67 million: 201 MB once decoded as RGB

_FORMATS = ("PNG", "JPEG")
_PLAIN_MODES = {"L", "LA", "RGB", "RGBA"}  # 1, 2, 3 and 4 channels of 8 bits


def decode_images(column: pa.Array, max_pixels: int = MAX_PIXELS) -> list[np.ndarray | None]:
    """The pixels of each encoded image of a column; None where it is null.

    A grey image has 1 channel, a coloured one 3, and one more if it has transparency. Of 16 bits the 8 most
    significant are kept. Pixels are given as they are stored: an orientation in EXIF is not applied.

    Args:
        column: PNG or JPEG images, as bytes.
        max_pixels: width times height that an image may have. It is compared with the header before anything is
            decoded, so that a small file cannot fill the memory. Pillow refuses more than 178 million in any case.

    Returns:
        uint8 of shape (height, width, num_channels) each.

    Raises:
        ExampleError: a value is no image, is damaged, or has more than `max_pixels`.
        UsageError: Pillow is not installed.
    """
    pillow = _pillow()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pillow.DecompressionBombWarning)  # max_pixels says it
        return [
            None if data is None else _decode(pillow, data, position, max_pixels)
            for position, data in enumerate(column.to_pylist())
        ]


def _decode(pillow: Any, data: bytes, position: int, max_pixels: int) -> np.ndarray:
    try:
        image = pillow.open(io.BytesIO(data), formats=_FORMATS)
        width, height = image.size
        if width * height <= max_pixels:
            return _pixels(image)
    except pillow.UnidentifiedImageError as error:
        raise ExampleError(
            f"the value at position {position} ({len(data):,} bytes) is neither a PNG nor a JPEG image"
        ) from error
    except (OSError, SyntaxError, ValueError, EOFError, pillow.DecompressionBombError) as error:
        raise ExampleError(f"the image at position {position} cannot be decoded: {error}") from error
    raise ExampleError(
        f"the image at position {position} has {width} × {height} pixels, more than max_pixels={max_pixels:,}; "
        "give decode_images a greater max_pixels if it is meant to be so large"
    )


def _pixels(image: Any) -> np.ndarray:
    if image.mode.startswith("I;16"):  # Pillow's own conversion cuts off what is brighter than 255
        return (np.asarray(image) >> 8).astype(np.uint8)[:, :, None]
    if image.mode not in _PLAIN_MODES:
        image = image.convert(_plain_mode(image))
    pixels = np.array(image)  # a copy that may be written to
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


def _plain_mode(image: Any) -> str:
    if image.mode == "1":
        return "L"
    return "RGBA" if "transparency" in image.info else "RGB"


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise UsageError(
            "decode_images needs Pillow, which is not installed; get it with: pip install 'groupstream[images]'"
        ) from error
    return Image
