"""What a value is held against, on whole columns."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_INT64 = pa.int64()


def at_least(values: pa.Array, limit: float) -> pa.Array:
    """Whether each number reaches the limit; NaN does not."""
    if pa.types.is_integer(values.type):  # compared as integers: the large ones are no floats
        return pc.greater_equal(values.cast(_INT64), _within_int64(math.ceil(limit)))
    return pc.greater_equal(values, pa.scalar(limit, values.type))


def at_most(values: pa.Array, limit: float) -> pa.Array:
    """Whether each number keeps the limit; NaN does not."""
    if pa.types.is_integer(values.type):
        return pc.less_equal(values.cast(_INT64), _within_int64(math.floor(limit)))
    return pc.less_equal(values, pa.scalar(limit, values.type))


def none_found(values: pa.Array, limit: Any) -> pa.Array:
    """Whether each count is 0."""
    return pc.equal(values, 0)


def holds(values: pa.Array, limit: Any) -> pa.Array:
    """What was measured is the answer."""
    return values


def _within_int64(value: int) -> pa.Scalar:
    return pa.scalar(max(-(1 << 63), min(value, (1 << 63) - 1)), _INT64)
