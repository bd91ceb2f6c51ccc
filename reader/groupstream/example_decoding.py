"""tf.train.Examples to Arrow batches."""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any

import numpy as np
import pyarrow as pa
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

from groupstream.binary import binary_array
from groupstream.errors import CorruptError, ExampleError
from groupstream.features import Feature, Features, arrow_schema

_KIND_FIELDS = {"string": "bytes_list", "bytes": "bytes_list", "float32": "float_list"}


def decode_examples(records: pa.LargeBinaryArray, features: Features) -> pa.RecordBatch:
    """Decodes `features`, and only these, of serialised tf.train.Examples.

    Raises:
        CorruptError: a record that is no tf.train.Example.
        ExampleError: a feature that is not there, or not of the type or shape that `features` says.
    """
    parse: Any = example_class().FromString
    try:
        maps = [parse(record).features.feature for record in records.to_pylist()]
    except DecodeError as error:
        raise CorruptError(
            f"a record is not a tf.train.Example ({error}); was this file written by something else?"
        ) from error
    columns = [_decode_feature(maps, name, feature) for name, feature in features.items()]
    return pa.record_batch(columns, schema=arrow_schema(features))


def _decode_feature(maps: list[Any], name: str, feature: Feature) -> pa.Array:
    field = "bytes_list" if feature.is_tensor else _KIND_FIELDS.get(feature.dtype, "int64_list")
    lists = [_values(m, name, field, feature.optional) for m in maps]
    validity = _validity([v is not None for v in lists])
    if feature.is_list:
        counts = [0, *(len(v or ()) for v in lists)]
        items = _array(name, list(itertools.chain.from_iterable(v or () for v in lists)), feature)
        offsets = pa.py_buffer(np.cumsum(counts, dtype=np.int32))
        return pa.Array.from_buffers(feature.arrow_type, len(lists), [validity, offsets], children=[items])
    if (wrong := next((v for v in lists if v is not None and len(v) != 1), None)) is not None:
        raise ExampleError(f"feature {name!r} should hold one value and holds {len(wrong)} in an example")
    if feature.is_tensor:
        return _tensors(name, [None if v is None else v[0] for v in lists], validity, feature)
    filler = b"" if field == "bytes_list" else 0
    array = _array(name, [filler if v is None else v[0] for v in lists], feature)
    return pa.Array.from_buffers(array.type, len(array), [validity, *array.buffers()[1:]])


def _values(features: Any, name: str, field: str, optional: bool) -> list[Any] | None:
    if name not in features:
        if optional:
            return None
        raise ExampleError(f"feature {name!r} is missing in an example that has {', '.join(sorted(features))}")
    found = features[name].WhichOneof("kind")
    if found not in (field, None):
        raise ExampleError(f"feature {name!r} is a {found} in an example; its dtype asks for a {field}")
    return list(getattr(features[name], field).value)


def _array(name: str, values: list[Any], feature: Feature) -> pa.Array:
    """An array without nulls. Built from buffers: pa.array() loads pandas wherever that is installed."""
    if feature.dtype in ("string", "bytes"):
        stored = binary_array(b"".join(values), np.fromiter(map(len, values), np.int64, len(values)))
    else:
        kind, dtype = (pa.float32(), np.float32) if feature.dtype == "float32" else (pa.int64(), np.int64)
        stored = pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(np.array(values, dtype))])
    try:
        return stored.cast(feature.value_type)
    except pa.ArrowInvalid as error:
        raise ExampleError(f"feature {name!r} does not fit {feature.dtype}: {error}") from error


def _tensors(name: str, values: list[bytes | None], validity: pa.Buffer | None, feature: Feature) -> pa.Array:
    size = math.prod(feature.tensor_shape)
    is_bool = feature.dtype == "bool"
    expected = size * (1 if is_bool else feature.value_type.bit_width // 8)
    if (wrong := next((v for v in values if v is not None and len(v) != expected), None)) is not None:
        raise ExampleError(
            f"feature {name!r} of shape {feature.shape} takes {expected} bytes, an example has {len(wrong)}"
        )
    data = b"".join(bytes(expected) if v is None else v for v in values)
    buffer = pa.py_buffer(_packed_bits(np.frombuffer(data, bool)) if is_bool else data)
    items = pa.Array.from_buffers(feature.value_type, size * len(values), [None, buffer])
    kind = feature.arrow_type
    storage = pa.Array.from_buffers(kind.storage_type, len(values), [validity], children=[items])
    return pa.ExtensionArray.from_storage(kind, storage)


def _validity(is_there: list[bool]) -> pa.Buffer | None:
    return None if all(is_there) else pa.py_buffer(_packed_bits(is_there))


def _packed_bits(values: Any) -> np.ndarray:
    """Arrow keeps a bool in a bit."""
    return np.packbits(values, bitorder="little")


@functools.cache
def example_class() -> type[Message]:
    """The message class of tf.train.Example, in a pool of its own so that it never meets TensorFlow's."""
    pool = descriptor_pool.DescriptorPool()
    pool.Add(_example_proto())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("groupstream.Example"))


def _example_proto() -> descriptor_pb2.FileDescriptorProto:
    kind = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="groupstream/example.proto", package="groupstream", syntax="proto3")
    for name, scalar in (
        ("BytesList", kind.TYPE_BYTES),
        ("FloatList", kind.TYPE_FLOAT),
        ("Int64List", kind.TYPE_INT64),
    ):
        file.message_type.add(name=name).field.add(name="value", number=1, type=scalar, label=kind.LABEL_REPEATED)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, (name, of) in enumerate(
        (("bytes_list", "BytesList"), ("float_list", "FloatList"), ("int64_list", "Int64List")), 1
    ):
        _message_field(feature, name, number, of).oneof_index = 0
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=kind.TYPE_STRING, label=kind.LABEL_OPTIONAL)
    _message_field(entry, "value", 2, "Feature")
    _message_field(features, "feature", 1, "Features.FeatureEntry").label = kind.LABEL_REPEATED
    _message_field(file.message_type.add(name="Example"), "features", 1, "Features")
    return file


def _message_field(
    message: descriptor_pb2.DescriptorProto, name: str, number: int, of: str
) -> descriptor_pb2.FieldDescriptorProto:
    kind = descriptor_pb2.FieldDescriptorProto
    return message.field.add(
        name=name, number=number, type=kind.TYPE_MESSAGE, type_name=f".groupstream.{of}", label=kind.LABEL_OPTIONAL
    )
