"""Arrow batches to tf.train.Examples, a whole batch at a time.

The wire format (tensorflow/core/example/feature.proto), tag bytes in front of each field:

    Example  = 0a len Features;  Features = (0a len Entry)*;  Entry = 0a len name, 12 len Feature
    Feature  = 0a len (0a len value)*        a list of byte strings
             | 12 len 0a len floats          float32, packed
             | 1a len 0a len varints         int64, packed

Protobuf merges messages that stand one after the other, so the group id is appended to an encoded
Example as a second, constant one: raw records of a source are passed through without decoding them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from groupstream.binary import (
    binary_array,
    binary_array_at,
    byte_lengths,
    byte_offsets,
    data_of,
    fixed_width_binary,
    joined,
    varint_widths,
    varints,
)
from groupstream.errors import ExampleError
from groupstream.features import GROUP_ID, Feature, Features

_LIST_TAG = {"bytes": b"\x0a", "float32": b"\x12", "int64": b"\x1a"}


def encode_examples(batch: pa.RecordBatch, features: Features) -> pa.LargeBinaryArray:
    """One serialised tf.train.Example a row, features in the order of their names.

    Raises:
        ExampleError: a list with a null in it, which a tf.train.Example cannot hold.
    """
    entries = [_encode_entry(name, batch.column(name), features[name]) for name in sorted(features)]
    lengths = sum((entry.lengths for entry in entries), np.zeros(len(batch), np.int64))
    return joined(b"\x0a", varints(lengths), *(part for entry in entries for part in entry.parts))


def encode_group_ids(group_ids: pa.LargeBinaryArray) -> pa.LargeBinaryArray:
    """What is appended to a record of each group so that it carries the feature `group_id`."""
    batch = pa.record_batch({GROUP_ID: group_ids.cast(pa.binary())})
    return encode_examples(batch, {GROUP_ID: Feature(dtype="bytes")})


class _Parts(NamedTuple):
    """What stands one part after the other in each row: joined once, at the end, since each join copies all bytes.

    Attributes:
        lengths: int64[num_examples], of all parts together.
    """

    parts: list[pa.LargeBinaryArray | bytes]
    lengths: np.ndarray


def _encode_entry(name: str, column: pa.Array, feature: Feature) -> _Parts:
    """One map entry a row; nothing at all where the column is null."""
    if feature.is_list and _has_null_inside(column):
        raise ExampleError(
            f"feature {name!r} has a null inside a list, which a tf.train.Example cannot hold; "
            "fill it or leave it out in the source"
        )
    kind, values = _encode_list(column, feature)
    key = name.encode()
    key = b"\x0a" + _varint(len(key)) + key + b"\x12"
    feature_lengths = 1 + varint_widths(values.lengths) + values.lengths
    entry_lengths = len(key) + varint_widths(feature_lengths) + feature_lengths
    parts = [
        b"\x0a",
        varints(entry_lengths),
        key,
        varints(feature_lengths),
        _LIST_TAG[kind],
        varints(values.lengths),
        *values.parts,
    ]
    lengths = 1 + varint_widths(entry_lengths) + entry_lengths
    if not column.null_count:
        return _Parts(parts, lengths)
    entry = pc.if_else(column.is_valid(), joined(*parts), None)
    return _Parts([entry], np.where(column.is_valid().to_numpy(zero_copy_only=False), lengths, 0))


def _has_null_inside(column: pa.Array) -> bool:
    while pa.types.is_nested(column.type):
        column = column.flatten()
        if column.null_count:
            return True
    return False


def _encode_list(column: pa.Array, feature: Feature) -> tuple[str, _Parts]:
    """The kind of list and, row by row, what stands inside its length-delimited field."""
    if feature.is_tensor:
        return "bytes", _byte_strings(_tensor_bytes(column, feature))
    if feature.dtype in ("string", "bytes") and not feature.is_list and not column.null_count:
        return "bytes", _byte_strings(column)
    if feature.is_list:
        flat, counts = column.flatten(), pc.list_value_length(column).fill_null(0)
        for size in feature.tensor_shape:
            flat, counts = flat.flatten(), pc.multiply(counts, size)
    else:
        flat, counts = column.drop_null(), column.is_valid().cast(pa.int32())
    offsets = np.concatenate([[0], np.cumsum(counts.to_numpy(zero_copy_only=False))])
    if feature.dtype in ("string", "bytes"):
        return "bytes", _whole(_regroup(joined(*_byte_strings(flat).parts), offsets))
    if feature.dtype == "float32":
        floats = np.ascontiguousarray(flat.to_numpy(zero_copy_only=False), "<f4")
        return "float32", _whole(_packed(_regroup(fixed_width_binary(floats), offsets)))
    integers = varints(flat.cast(pa.int64()).to_numpy(zero_copy_only=False).view(np.uint64))
    return "int64", _whole(_packed(_regroup(integers, offsets)))


def _byte_strings(values: pa.Array) -> _Parts:
    values = values.cast(pa.large_binary())
    lengths = byte_lengths(values)
    return _Parts([b"\x0a", varints(lengths), values], 1 + varint_widths(lengths) + lengths)


def _whole(values: pa.LargeBinaryArray) -> _Parts:
    return _Parts([values], byte_lengths(values))


def _packed(values: pa.LargeBinaryArray) -> pa.LargeBinaryArray:
    """A packed repeated field; an empty list is nothing at all, as protobuf writes it."""
    lengths = byte_lengths(values)
    packed = joined(b"\x0a", varints(lengths), values)
    return packed if lengths.all() else pc.if_else(pa.array(lengths > 0), packed, b"")


def _regroup(values: pa.LargeBinaryArray, offsets: np.ndarray) -> pa.LargeBinaryArray:
    """Row i holds the bytes of `values[offsets[i]:offsets[i + 1]]` together. No copy of the bytes."""
    if not len(values):
        return binary_array_at(b"", np.zeros(len(offsets), np.int64))
    starts = byte_offsets(values)
    return binary_array_at(data_of(values), (starts - starts[0])[offsets])


def _tensor_bytes(column: pa.Array, feature: Feature) -> pa.LargeBinaryArray:
    """The raw bytes of each tensor, none where it is null."""
    storage = column.storage if isinstance(column, pa.ExtensionArray) else column
    flat = storage.flatten().to_numpy(zero_copy_only=False)  # without the null ones
    little_endian = np.ascontiguousarray(flat, flat.dtype.newbyteorder("<"))
    width = math.prod(feature.tensor_shape) * flat.itemsize
    is_there = storage.is_valid().to_numpy(zero_copy_only=False)
    return binary_array(little_endian.view(np.uint8), np.where(is_there, width, 0))


def _varint(value: int) -> bytes:
    return bytes(varints(np.array([value], np.uint64))[0].as_py())
