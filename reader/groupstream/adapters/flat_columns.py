"""Columns of a batch as flat arrays, without a Python value an example: what frameworks take most easily."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from groupstream.adapters.numpy_columns import is_there, numpy_column
from groupstream.features import Feature, Features
from groupstream.ragged import Ragged


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


def _flat(column: pa.Array, feature: Feature) -> FlatColumn:
    if feature.dtype == "string":
        column = column.cast(pa.list_(pa.binary()) if feature.is_list else pa.binary())
    values = numpy_column(column, feature)
    there = is_there(column) if feature.optional else None
    if isinstance(values, Ragged):
        return FlatColumn(values.values, values.offsets, there)
    if there is not None and values.dtype == object:
        values[~there] = b""
    return FlatColumn(values, None, there)
