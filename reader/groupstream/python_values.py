"""Columns of a batch as Python values."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def python_values(column: pa.Array) -> list[Any]:
    """The values of a column: Python's own types, tensors and lists of tensors as NumPy arrays, None where null.

    A list of tensors of shape (d1, d2) is one array of shape (num_tensors, d1, d2).
    """
    if isinstance(column.type, pa.FixedShapeTensorType):
        tensors = iter(_tensors(column.storage.flatten(), column.type.shape))  # without the null ones
        return [next(tensors) if is_there else None for is_there in column.is_valid().to_pylist()]
    if pa.types.is_list(column.type) and pa.types.is_fixed_size_list(column.type.value_type):
        return _lists_of_tensors(column)
    found: list[Any] = column.to_pylist()
    return found


def _lists_of_tensors(column: pa.ListArray) -> list[Any]:
    items, shape = column.flatten(), []
    while pa.types.is_fixed_size_list(items.type):
        shape.append(items.type.list_size)
        items = items.flatten()
    tensors = _tensors(items, shape)
    borders = itertools.pairwise(itertools.accumulate(pc.list_value_length(column).fill_null(0).to_pylist(), initial=0))
    is_there = column.is_valid().to_pylist()
    return [tensors[a:b] if there else None for there, (a, b) in zip(is_there, borders, strict=True)]


def _tensors(values: pa.Array, shape: list[int]) -> np.ndarray:
    """Shape (num_tensors, *shape)."""
    is_bool = values.type == pa.bool_()
    numbers = np.from_dlpack(values.cast(pa.uint8()) if is_bool else values)  # to_numpy() would load pandas
    return (numbers.view(bool) if is_bool else numbers).reshape(-1, *shape)
