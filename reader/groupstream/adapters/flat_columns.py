"""Columns of a batch as flat arrays, without a Python value an example: what frameworks take most easily."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from groupstream.errors import UsageError
from groupstream.features import Feature, Features

IS_THERE = "_is_there"  # after the name of an optional feature: the bool that says whether an example has it


class FlatColumn(NamedTuple):
    """The values of a feature in each example of a batch.

    Attributes:
        values: [num_values, *tensor_shape], of the dtype of the feature; strings as objects of type `bytes`. One a
            row, or those of all lists together. Where an optional value is missing: zero, no bytes, a tensor of zeros.
        row_splits: int64[num_examples + 1], of lists only: list i holds values[row_splits[i]:row_splits[i + 1]], and
            none where it is missing.
        is_there: bool[num_examples], of optional features only.
    """

    values: np.ndarray
    row_splits: np.ndarray | None
    is_there: np.ndarray | None


def flat_columns(batch: pa.RecordBatch, features: Features) -> dict[str, FlatColumn]:
    """Each column of a batch of examples. Numbers are not copied where Arrow holds them as they are."""
    return {name: _flat(batch.column(name), feature) for name, feature in features.items()}


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


def _flat(column: pa.Array, feature: Feature) -> FlatColumn:
    is_there = _bits(column.is_valid()) if feature.optional else None
    row_splits = None
    if feature.is_list:
        offsets = np.from_dlpack(column.offsets).astype(np.int64)
        row_splits, items = offsets - offsets[0], column.values[int(offsets[0]) : int(offsets[-1])]
    else:
        items = column.storage if feature.is_tensor else column
    values = _values(items, feature)
    if is_there is not None and row_splits is None and not is_there.all():
        values = values.copy()
        values[~is_there] = b"" if values.dtype == object else 0
    return FlatColumn(values, row_splits, is_there)


def _values(items: pa.Array, feature: Feature) -> np.ndarray:
    while pa.types.is_fixed_size_list(items.type):
        size = items.type.list_size
        items = items.values[items.offset * size : (items.offset + len(items)) * size]
    if feature.dtype in ("string", "bytes"):
        values = np.empty(len(items), object)
        values[:] = items.cast(pa.binary()).to_pylist()
        return values
    numbers = _bits(items) if feature.dtype == "bool" else _numbers(items)
    return numbers.reshape(-1, *feature.tensor_shape)


def _numbers(items: pa.Array) -> np.ndarray:
    """The numbers, with whatever stands where one is missing."""
    dtype = np.dtype(items.type.to_pandas_dtype())
    return np.frombuffer(items.buffers()[1], dtype, len(items), items.offset * dtype.itemsize)


def _bits(items: pa.Array) -> np.ndarray:
    """Arrow keeps a bool in a bit."""
    packed = np.frombuffer(items.buffers()[1], np.uint8)
    return np.unpackbits(packed, count=items.offset + len(items), bitorder="little")[items.offset :].view(bool)
