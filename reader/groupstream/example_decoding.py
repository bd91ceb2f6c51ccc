"""tf.train.Examples to Arrow batches."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import pyarrow as pa
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

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
    if feature.is_list:
        return _cast(name, lists, feature)
    if wrong := next((v for v in lists if v is not None and len(v) != 1), None):
        raise ExampleError(f"feature {name!r} should hold one value and holds {len(wrong)} in an example")
    single = [None if v is None else v[0] for v in lists]
    return _tensors(name, single, feature) if feature.is_tensor else _cast(name, single, feature)


def _values(features: Any, name: str, field: str, optional: bool) -> list[Any] | None:
    if name not in features:
        if optional:
            return None
        raise ExampleError(f"feature {name!r} is missing in an example that has {', '.join(sorted(features))}")
    found = features[name].WhichOneof("kind")
    if found not in (field, None):
        raise ExampleError(f"feature {name!r} is a {found} in an example; its dtype asks for a {field}")
    return list(getattr(features[name], field).value)


def _cast(name: str, values: list[Any], feature: Feature) -> pa.Array:
    try:
        if feature.dtype == "bool":
            wide = pa.array(values, pa.list_(pa.int64()) if feature.is_list else pa.int64())
            return wide.cast(feature.arrow_type)
        return pa.array(values, feature.arrow_type)
    except (pa.ArrowInvalid, OverflowError) as error:
        raise ExampleError(f"feature {name!r} does not fit {feature.dtype}: {error}") from error


def _tensors(name: str, values: list[bytes | None], feature: Feature) -> pa.Array:
    dtype = np.dtype("?" if feature.dtype == "bool" else feature.dtype).newbyteorder("<")
    size = math.prod(feature.tensor_shape)
    expected = size * dtype.itemsize
    if wrong := next((v for v in values if v is not None and len(v) != expected), None):
        raise ExampleError(
            f"feature {name!r} of shape {feature.shape} takes {expected} bytes, an example has {len(wrong)}"
        )
    flat = np.frombuffer(b"".join(v if v is not None else bytes(expected) for v in values), dtype)
    mask = pa.array([v is None for v in values]) if None in values else None
    storage = pa.FixedSizeListArray.from_arrays(pa.array(flat), size, mask=mask)
    return pa.ExtensionArray.from_storage(feature.arrow_type, storage)


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
