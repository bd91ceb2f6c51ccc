"""tf.train.Examples to Arrow batches.

The values are found by the lock-step walk (`walk`), or by protobuf where the walk does not understand a
record, or where there are so few that parsing them takes less time than the fixed cost of a walk. What is made of the
values, and every complaint about them, is the same for both.
"""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa

from groupstream.binary import byte_lengths, data_of, integers
from groupstream.errors import ExampleError
from groupstream.examples.parsing import parse_columns
from groupstream.examples.values import RawColumn, walk_columns
from groupstream.examples.walk import IrregularError
from groupstream.features import Feature, Features, arrow_schema

_NUMBER_KINDS = {"float32": "float_list"}
_FEW_RECORDS, _FEW_BYTES = 32, 1 << 15  # parsed in 30 to 200 us; a walk takes 350 us and more
_MAX_ITEMS = (1 << 31) - 1  # of all lists of a column together
_PARSED_TOGETHER = 512  # records that are parsed where one of them is irregular; all others are walked


def decode_examples(records: pa.LargeBinaryArray, features: Features) -> pa.RecordBatch:
    """Decodes `features`, and only these, of serialised tf.train.Examples.

    Raises:
        CorruptError: a record that is no tf.train.Example.
        ExampleError: a feature that is not there, or not of the type or shape that `features` says.
    """
    if not features:
        return _without_columns(len(records))
    kinds = {name: _kind(feature) for name, feature in features.items()}
    columns = _read_columns(records, kinds)
    arrays = [_array(name, columns[name], feature) for name, feature in features.items()]
    return pa.record_batch(arrays, schema=arrow_schema(features))


def _without_columns(num_rows: int) -> pa.RecordBatch:
    """Made of no arrays, a batch would have no rows."""
    return pa.RecordBatch.from_struct_array(pa.Array.from_buffers(pa.struct([]), num_rows, [None]))


def _read_columns(records: pa.LargeBinaryArray, kinds: dict[str, str]) -> dict[str, RawColumn]:
    if len(records) <= _FEW_RECORDS and data_of(records).size <= _FEW_BYTES:
        return parse_columns(records, kinds)
    try:
        return walk_columns(records, kinds)
    except IrregularError:
        starts = range(0, len(records), _PARSED_TOGETHER)
        parts = [_walk_or_parse(records.slice(start, _PARSED_TOGETHER), kinds) for start in starts]
    return {name: _concatenated([part[name] for part in parts]) for name in kinds}


def _walk_or_parse(records: pa.LargeBinaryArray, kinds: dict[str, str]) -> dict[str, RawColumn]:
    try:
        return walk_columns(records, kinds)
    except IrregularError:
        return parse_columns(records, kinds)


def _concatenated(parts: list[RawColumn]) -> RawColumn:
    items, counts, is_there = zip(*parts, strict=True)
    return RawColumn(pa.concat_arrays(items), np.concatenate(counts), np.concatenate(is_there))


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
        items, counts = _list_items(name, column, feature)
        buffers = [validity, pa.py_buffer(_list_offsets(name, counts))]
        return pa.Array.from_buffers(feature.arrow_type, len(column.counts), buffers, children=[items])
    wrong = column.counts != column.is_there
    if wrong.any():
        raise ExampleError(f"feature {name!r} should hold one value and holds {column.counts[wrong][0]} in an example")
    if feature.is_tensor:
        return _tensors(name, column, validity, feature)
    array = _cast(name, _spread(column), feature)
    return pa.Array.from_buffers(array.type, len(array), [validity, *array.buffers()[1:]])


def _list_items(name: str, column: RawColumn, feature: Feature) -> tuple[pa.Array, np.ndarray]:
    """The items of all lists together, and how many each has."""
    size = math.prod(feature.tensor_shape)
    if (wrong := column.counts % size != 0).any():
        raise ExampleError(
            f"feature {name!r} of shape {feature.shape} takes a multiple of {size} values, "
            f"an example has {column.counts[wrong][0]}"
        )
    items = _cast(name, column.items, feature)
    for length in reversed(feature.tensor_shape):
        items = pa.FixedSizeListArray.from_arrays(items, length)
    return items, column.counts // size


def _list_offsets(name: str, counts: np.ndarray) -> np.ndarray:
    offsets = np.concatenate([[0], np.cumsum(counts)])
    if offsets[-1] > _MAX_ITEMS:
        raise ExampleError(
            f"feature {name!r} has {offsets[-1]:,} items in {len(counts):,} examples; a batch holds up to "
            f"{_MAX_ITEMS:,}. Decode fewer examples at once"
        )
    return offsets.astype(np.int32)


def _spread(column: RawColumn) -> pa.Array:
    """One item a record: an empty one where the feature is missing."""
    if column.is_there.all():
        return column.items
    source = np.maximum(np.cumsum(column.is_there) - 1, 0)
    if not len(column.items):
        return _empty_items(column.items.type, len(source))
    return column.items.take(integers(source))


def _empty_items(kind: pa.DataType, length: int) -> pa.Array:
    zeros = pa.py_buffer(bytes(8 * (length + 1)))
    return pa.Array.from_buffers(kind, length, [None, zeros] + ([zeros] if kind == pa.large_binary() else []))


def _cast(name: str, items: pa.Array, feature: Feature) -> pa.Array:
    if items.type == feature.value_type:  # a call takes as long as parsing a few values
        return items
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
