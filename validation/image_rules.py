"""Rules for encoded images. Each is decoded, all of it, one at a time. Needs Pillow."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from groupstream.errors import ExampleError
from groupstream.images import decode_images
from validation.comparisons import at_least, at_most, holds
from validation.rule_kinds import RuleKind, least, most

_SHAPE = pa.list_(pa.int64(), 3)


def shapes_of(column: pa.Array) -> pa.Array:
    """(height, width, channels) of each image; null where it is missing, -1 each where it cannot be decoded."""
    return pa.array([_shape_of(column.slice(row, 1)) for row in range(len(column))], _SHAPE)


def _shape_of(one: pa.Array) -> tuple[int, ...] | None:
    try:
        [pixels] = decode_images(one)
    except ExampleError:
        return (-1, -1, -1)
    return None if pixels is None else pixels.shape


def _decodes(shapes: pa.Array, limit: Any) -> pa.Array:
    return pc.greater(pc.list_element(shapes, 0), 0)


def _height(shapes: pa.Array, limit: Any) -> pa.Array:
    return _of_decoded(shapes, 0)


def _width(shapes: pa.Array, limit: Any) -> pa.Array:
    return _of_decoded(shapes, 1)


def _channels(shapes: pa.Array, limit: Any) -> pa.Array:
    return _of_decoded(shapes, 2)


def _of_decoded(shapes: pa.Array, index: int) -> pa.Array:
    """Null where the image cannot be decoded: that is a rule of its own."""
    found = pc.list_element(shapes, index)
    return pc.if_else(pc.greater(found, 0), found, pa.scalar(None, pa.int64()))


def _is_one_of(found: pa.Array, limit: tuple[int, ...]) -> pa.Array:
    return pc.or_kleene(pc.is_null(found), pc.is_in(found, pa.array(limit, pa.int64())))


IMAGE_RULES: dict[str, RuleKind] = {  # by the fields of ImageRules, and before them that it is an image at all
    "decodes": RuleKind(_decodes, holds, lambda limit: "decodes"),
    "min_width": RuleKind(_width, at_least, least),
    "max_width": RuleKind(_width, at_most, most),
    "min_height": RuleKind(_height, at_least, least),
    "max_height": RuleKind(_height, at_most, most),
    "channels": RuleKind(_channels, _is_one_of, lambda limit: " or ".join(map(str, limit))),
}
