"""Giving a column the type of its feature. What would change a value is refused, but for the rounding of a float."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from groupstream import Feature
from groupstream.binary import integers

# ArrowInvalid: a value. ArrowNotImplementedError: its type. TypeError: a value that JSON has no words for.
MISFITS = (pa.ArrowInvalid, pa.ArrowNotImplementedError, TypeError)


def cast_column(column: pa.Array, feature: Feature) -> pa.Array:
    """The column with the Arrow type of the feature.

    Raises:
        MISFITS: a value that does not fit: 1.5 as an integer, 300 as an int8, 1e300 as a float32, "x" as a number, a
            tensor of which a number is null.
    """
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if isinstance(column, pa.ExtensionArray) and column.type != feature.arrow_type:
        column = column.storage
    if feature.dtype == "string" and not feature.shape and pa.types.is_nested(column.type):
        column = pa.array([None if v is None else json_text(v) for v in column.to_pylist()], pa.string())
    if column.type != feature.arrow_type:
        column = _cast(column, feature)
    if feature.is_tensor and _flat(column.storage).null_count:
        raise pa.ArrowInvalid("a null inside a tensor, whose bytes have none")
    if feature.dtype == "string":
        column.validate(full=True)  # Arrow's readers do not all look whether text is UTF-8
    return column


def json_text(value: object) -> str:
    """A nested value as a string."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _cast(column: pa.Array, feature: Feature) -> pa.Array:
    storage = feature.arrow_type
    if isinstance(storage, pa.FixedShapeTensorType):
        column, storage = _rows(column), storage.storage_type
    found = _without_hidden(column).cast(storage)
    if feature.dtype in ("float32", "bool"):
        _refuse_lost(_flat(column), _flat(found))
    return pa.ExtensionArray.from_storage(feature.arrow_type, found) if feature.is_tensor else found


def _without_hidden(column: pa.Array) -> pa.Array:
    """Without the values around a slice of lists, which Arrow would cast, too."""
    if pa.types.is_list(column.type) and len(column.values) != len(column.flatten()):
        return column.take(integers(np.arange(len(column))))
    return column


def _rows(column: pa.Array) -> pa.Array:
    """Lists of fixed size within such lists, as one list of all their values."""
    while pa.types.is_fixed_size_list(column.type) and pa.types.is_fixed_size_list(column.type.value_type):
        inner = column.type.value_type
        flat = column.values.slice(column.offset * column.type.list_size, len(column) * column.type.list_size)
        size = column.type.list_size * inner.list_size
        values = flat.values.slice(flat.offset * inner.list_size, len(flat) * inner.list_size)
        column = pa.FixedSizeListArray.from_arrays(values, size, mask=column.is_null() if column.null_count else None)
    return column


def _flat(column: pa.Array) -> pa.Array:
    while pa.types.is_nested(column.type):
        column = column.flatten()
    return column


def _refuse_lost(before: pa.Array, after: pa.Array) -> None:
    """Refuses what Arrow's safe cast lets pass: infinity for a number that is too large, true for 5."""
    if pa.types.is_boolean(after.type):
        is_number = pa.types.is_integer(before.type) or pa.types.is_floating(before.type)
        if is_number and not pc.all(pc.is_in(before, pa.array([0, 1, None]).cast(before.type))).as_py():
            raise pa.ArrowInvalid("a number that is neither 0 nor 1")
    elif not pa.types.is_float32(before.type) and (num_infinite := _num_infinite(after)):
        kept = _num_infinite(before.cast(pa.float64())) if not pa.types.is_null(before.type) else 0
        if num_infinite != kept:
            raise pa.ArrowInvalid("a number beyond the range of float32")


def _num_infinite(values: pa.Array) -> int:
    return pc.sum(pc.is_inf(values)).as_py() or 0
