"""Features and columns of an example as Hugging Face datasets has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from groupstream.adapters.numpy_columns import refuse_double_names
from groupstream.binary import repeated
from groupstream.errors import UsageError
from groupstream.features import GROUP_ID, Feature, Features

_MAX_DIMENSIONS = 5  # of datasets.Array2D to Array5D


@dataclass(frozen=True)
class HfColumns:
    """How features are mapped.

    Attributes:
        datasets: the module.
        features: of the examples, ours.
        binary_ids: whether group ids are bytes, else text.
    """

    datasets: Any
    features: Features
    binary_ids: bool

    def __post_init__(self) -> None:
        refuse_double_names(self.features, GROUP_ID)

    @property
    def mapped(self) -> Any:
        """The features of the dataset: the group id first."""
        group_id = self.datasets.Value("binary" if self.binary_ids else "string")
        return self.datasets.Features(
            {GROUP_ID: group_id, **{name: self._mapped(feature) for name, feature in self.features.items()}}
        )

    def table(self, examples: pa.RecordBatch, group_ids: list[bytes], counts: np.ndarray) -> pa.Table:
        """The columns of some groups, of which the i-th has counts[i] examples.

        Raises:
            UsageError: a group id is not UTF-8, and ids should be text.
        """
        mapped = self.mapped
        kinds = mapped.type
        columns = [self._ids(group_ids, counts)]
        for name, feature in self.features.items():
            columns.append(_column(examples.column(name), feature, kinds.field(name).type))
        return pa.Table.from_arrays(columns, schema=mapped.arrow_schema)

    def _ids(self, group_ids: list[bytes], counts: np.ndarray) -> pa.Array:
        try:
            return repeated(group_ids, counts).cast(pa.binary() if self.binary_ids else pa.string())
        except pa.ArrowInvalid as error:
            raise UsageError("a group id is not UTF-8; have them as bytes, with to_hf(binary_ids=True)") from error

    def _mapped(self, feature: Feature) -> Any:
        datasets = self.datasets
        if feature.is_image:
            return datasets.Image()
        if feature.labels and not feature.shape:
            return datasets.ClassLabel(names=list(feature.labels))
        shape = feature.tensor_shape
        if feature.is_tensor and 1 < len(shape) <= _MAX_DIMENSIONS:
            return getattr(datasets, f"Array{len(shape)}D")(shape, feature.dtype)
        kind = datasets.Value("binary" if feature.dtype == "bytes" else feature.dtype)
        for length in reversed(shape):
            kind = datasets.List(kind, length=length)
        return datasets.List(kind) if feature.is_list else kind


def _column(column: pa.Array, feature: Feature, kind: pa.DataType) -> pa.Array:
    if pa.types.is_struct(kind):  # an image: its bytes, and no path
        paths = pa.nulls(len(column), pa.string())
        return pa.StructArray.from_arrays([column, paths], fields=list(kind), mask=column.is_null())
    if feature.is_tensor:
        return _tensors(column.storage, feature.tensor_shape, kind)
    return column.cast(kind)


def _tensors(storage: pa.FixedSizeListArray, shape: tuple[int, ...], kind: pa.DataType) -> pa.Array:
    """From one fixed-size list a tensor to lists in lists, as `kind` nests them."""
    size = storage.type.list_size
    items = storage.values[storage.offset * size : (storage.offset + len(storage)) * size]
    is_extension = isinstance(kind, pa.BaseExtensionType)
    num_lists = len(items)
    for length in reversed(shape[1:]):
        num_lists //= length
        items = _lists(items, num_lists, length) if is_extension else pa.FixedSizeListArray.from_arrays(items, length)
    missing = storage.is_null() if storage.null_count else None
    if not is_extension:
        return pa.FixedSizeListArray.from_arrays(items, shape[0], mask=missing).cast(kind)
    nested = _lists(items, len(storage), shape[0], missing)
    return pa.ExtensionArray.from_storage(kind, nested.cast(kind.storage_type))


def _lists(items: pa.Array, num_lists: int, length: int, missing: pa.Array | None = None) -> pa.ListArray:
    offsets = pa.py_buffer(np.arange(num_lists + 1, dtype=np.int32) * np.int32(length))
    return pa.ListArray.from_arrays(
        pa.Array.from_buffers(pa.int32(), num_lists + 1, [None, offsets]), items, mask=missing
    )
