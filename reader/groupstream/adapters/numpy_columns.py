"""Columns of a batch of examples as NumPy arrays, converted for many groups at once and then sliced."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from groupstream.errors import UsageError
from groupstream.features import Feature, Features
from groupstream.ragged import Ragged

IS_THERE = "_is_there"  # after the name of an optional feature: the bool that says whether an example has it
Column = np.ndarray | Ragged


def numpy_column(column: pa.Array, feature: Feature) -> Column:
    """The values of a feature.

    Returns:
        Numbers: [num_examples]. Tensors: [num_examples, *shape]. Both share the memory of Arrow and are read-only, but
        for bools, which Arrow keeps in bits. Texts and bytes: objects of type `str` and `bytes`. Lists: a `Ragged` of
        such. A missing value is 0, a tensor of zeros, None, an empty list.
    """
    if feature.is_list:
        offsets = _fixed_width(column, np.dtype(np.int32), len(column) + 1)
        return Ragged(_items(column.values, feature), offsets.astype(np.int64))
    if feature.is_tensor:
        return _tensors(column, feature)
    return _without_missing(_values(column, feature), column)


def is_there(column: pa.Array) -> np.ndarray:
    """bool[num_examples]: where a value is not missing."""
    validity = column.buffers()[0]
    return np.ones(len(column), bool) if validity is None else _bits(validity, column.offset, len(column))


def refuse_double_names(features: Features, *taken: str) -> None:
    """Names that an adapter adds must not be names of features.

    Raises:
        UsageError: one is.
    """
    added = {*taken, *(f"{name}{IS_THERE}" for name, feature in features.items() if feature.optional)}
    if double := sorted(added & {*features}):
        raise UsageError(
            f"{double[0]!r} is the name of a feature and of what is added here; leave it out with select()"
        )


def objects(values: Sequence[object]) -> np.ndarray:
    """object[len(values)]: the values as they are, also those that are arrays themselves."""
    array = np.empty(len(values), object)
    for i, value in enumerate(values):
        array[i] = value
    return array


def _values(column: pa.Array, feature: Feature) -> np.ndarray:
    if feature.dtype in ("string", "bytes"):
        strings = np.empty(len(column), object)
        strings[:] = column.to_pylist()
        return strings
    if feature.dtype == "bool":
        return _bits(column.buffers()[1], column.offset, len(column))
    return _fixed_width(column, np.dtype(feature.dtype), len(column))


def _items(items: pa.Array, feature: Feature) -> np.ndarray:
    """Of all lists together: [num_items], or [num_items, *shape] where they are tensors."""
    while pa.types.is_fixed_size_list(items.type):
        size = items.type.list_size
        items = items.values.slice(items.offset * size, len(items) * size)
    return _values(items, feature).reshape(-1, *feature.tensor_shape)


def _tensors(column: pa.Array, feature: Feature) -> np.ndarray:
    storage = column.storage
    size = storage.type.list_size
    items = storage.values.slice(storage.offset * size, len(storage) * size)
    tensors = _values(items, feature).reshape(-1, *feature.tensor_shape)
    return _without_missing(tensors, storage)


def _without_missing(values: np.ndarray, column: pa.Array) -> np.ndarray:
    """What stands where a number is missing is nobody's business."""
    if not column.null_count or values.dtype == object:
        return values
    values = values.copy()
    values[~is_there(column)] = 0
    return values


def _fixed_width(column: pa.Array, dtype: np.dtype, length: int) -> np.ndarray:
    """Of a column of numbers, or the offsets of lists. No copy."""
    buffer = column.buffers()[1]
    if buffer is None or not buffer.size:
        return np.zeros(length, dtype)
    numbers = np.frombuffer(buffer, dtype, length, column.offset * dtype.itemsize)
    numbers.flags.writeable = False
    return numbers


def _bits(buffer: pa.Buffer | None, offset: int, length: int) -> np.ndarray:
    if buffer is None:
        return np.zeros(length, bool)
    first = offset // 8
    packed = np.frombuffer(buffer, np.uint8, (offset + length + 7) // 8 - first, first)
    return np.unpackbits(packed, bitorder="little")[offset - 8 * first :][:length].view(bool)
