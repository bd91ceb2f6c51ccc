"""tf.train.Examples parsed one by one, with protobuf: the slow way that understands all that protobuf allows."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

from groupstream.binary import binary_array
from groupstream.errors import CorruptError, ExampleError
from groupstream.examples.values import RawColumn


def parse_columns(records: pa.LargeBinaryArray, kinds: Mapping[str, str]) -> dict[str, RawColumn]:
    """The values of some features.

    Args:
        records: serialised tf.train.Examples.
        kinds: by feature, "bytes_list", "float_list" or "int64_list".

    Raises:
        CorruptError: a record that is no tf.train.Example.
        ExampleError: a feature of another kind.
    """
    parse: Any = example_class().FromString
    try:
        maps = [parse(record).features.feature for record in records.to_pylist()]
    except DecodeError as error:
        raise CorruptError(
            f"a record is not a tf.train.Example ({error}); was this file written by something else?"
        ) from error
    return {name: _column([_values(m, name, kind) for m in maps], kind) for name, kind in kinds.items()}


def _values(features: Any, name: str, kind: str) -> list[Any] | None:
    if name not in features:
        return None
    found = features[name].WhichOneof("kind")
    if found not in (kind, None):
        raise ExampleError(f"feature {name!r} is a {found} in an example; its dtype asks for a {kind}")
    return list(getattr(features[name], kind).value)


def _column(lists: list[list[Any] | None], kind: str) -> RawColumn:
    values = list(itertools.chain.from_iterable(v or () for v in lists))
    counts = np.array([len(v or ()) for v in lists], np.int64)
    return RawColumn(_items(values, kind), counts, np.array([v is not None for v in lists], bool))


def _items(values: list[Any], kind: str) -> pa.Array:
    """Built from buffers: pa.array() loads pandas wherever that is installed."""
    if kind == "bytes_list":
        return binary_array(b"".join(values), np.fromiter(map(len, values), np.int64, len(values)))
    arrow, dtype = (pa.float32(), np.float32) if kind == "float_list" else (pa.int64(), np.int64)
    return pa.Array.from_buffers(arrow, len(values), [None, pa.py_buffer(np.array(values, dtype))])


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
