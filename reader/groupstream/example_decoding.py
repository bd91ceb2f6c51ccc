"""tf.train.Examples to Arrow batches.

The values are found by the lock-step walk (`example_walk`), or by protobuf where the walk does not understand a
record. What is made of them, and every complaint about them, is the same for both.
"""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa

from groupstream.binary import byte_lengths, data_of
from groupstream.errors import ExampleError
from groupstream.example_parsing import parse_columns
from groupstream.example_values import RawColumn, walk_columns
from groupstream.example_walk import IrregularError
from groupstream.features import Feature, Features, arrow_schema

_NUMBER_KINDS = {"float32": "float_list"}


def decode_examples(records: pa.LargeBinaryArray, features: Features) -> pa.RecordBatch:
    """Decodes `features`, and only these, of serialised tf.train.Examples.

    Raises:
        CorruptError: a record that is no tf.train.Example.
        ExampleError: a feature that is not there, or not of the type or shape that `features` says.
    """
    kinds = {name: _kind(feature) for name, feature in features.items()}
    try:
        columns = walk_columns(records, kinds)
    except IrregularError:
        columns = parse_columns(records, kinds)
    arrays = [_array(name, columns[name], feature) for name, feature in features.items()]
    return pa.record_batch(arrays, schema=arrow_schema(features))


def _kind(feature: Feature) -> str:
    if feature.dtype in ("string", "bytes") or feature.is_tensor:
        return "bytes_list"
    return _NUMBER_KINDS.get(feature.dtype, "int64_list")


def _array(name: str, column: RawColumn, feature: Feature) -> pa.Array:
    if not (feature.optional or column.is_there.all()):
        missing = int((~column.is_there).sum())
        raise ExampleError(f"feature {name!r} is missing in {missing:,} of {len(column.counts):,} examples")
    validity = None if column.is_there.all() else pa.py_buffer(_packed_bits(column.is_there))
    if feature.is_list:
        offsets = np.concatenate([[0], np.cumsum(column.counts)]).astype(np.int32)
        items = _cast(name, column.items, feature)
        buffers = [validity, pa.py_buffer(offsets)]
        return pa.Array.from_buffers(feature.arrow_type, len(column.counts), buffers, children=[items])
    wrong = column.counts != column.is_there
    if wrong.any():
        raise ExampleError(f"feature {name!r} should hold one value and holds {column.counts[wrong][0]} in an example")
    if feature.is_tensor:
        return _tensors(name, column, validity, feature)
    array = _cast(name, _spread(column), feature)
    return pa.Array.from_buffers(array.type, len(array), [validity, *array.buffers()[1:]])


def _spread(column: RawColumn) -> pa.Array:
    """One item a record: an empty one where the feature is missing."""
    if column.is_there.all():
        return column.items
    source = np.maximum(np.cumsum(column.is_there) - 1, 0)
    if not len(column.items):
        return _empty_items(column.items.type, len(source))
    return column.items.take(pa.Array.from_buffers(pa.int64(), len(source), [None, pa.py_buffer(source)]))


def _empty_items(kind: pa.DataType, length: int) -> pa.Array:
    zeros = pa.py_buffer(bytes(8 * (length + 1)))
    return pa.Array.from_buffers(kind, length, [None, zeros] + ([zeros] if kind == pa.large_binary() else []))


def _cast(name: str, items: pa.Array, feature: Feature) -> pa.Array:
    try:
        return items.cast(feature.value_type)
    except pa.ArrowInvalid as error:
        raise ExampleError(f"feature {name!r} does not fit {feature.dtype}: {error}") from error


def _tensors(name: str, column: RawColumn, validity: pa.Buffer | None, feature: Feature) -> pa.Array:
    size = math.prod(feature.tensor_shape)
    is_bool = feature.dtype == "bool"
    expected = size * (1 if is_bool else feature.value_type.bit_width // 8)
    lengths = byte_lengths(column.items)
    if (wrong := lengths != expected).any():
        raise ExampleError(
            f"feature {name!r} of shape {feature.shape} takes {expected} bytes, an example has {lengths[wrong][0]}"
        )
    values = np.zeros((len(column.counts), expected), np.uint8)
    values[column.is_there] = np.frombuffer(data_of(column.items), np.uint8).reshape(-1, expected)
    buffer = pa.py_buffer(_packed_bits(values != 0) if is_bool else values)
    items = pa.Array.from_buffers(feature.value_type, size * len(values), [None, buffer])
    kind = feature.arrow_type
    storage = pa.Array.from_buffers(kind.storage_type, len(values), [validity], children=[items])
    return pa.ExtensionArray.from_storage(kind, storage)


def _packed_bits(values: np.ndarray) -> np.ndarray:
    """Arrow keeps a bool in a bit."""
    return np.packbits(values, bitorder="little")
