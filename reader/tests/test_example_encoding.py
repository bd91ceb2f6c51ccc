from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groupstream import ExampleError, Feature
from groupstream.binary import joined
from groupstream.examples.decoding import decode_examples
from groupstream.examples.encoding import encode_examples, encode_group_ids
from groupstream.examples.parsing import example_class
from groupstream.features import Features, arrow_schema

INTEGERS = {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32)} | {"int64"}

# tf.train.Example(a=[1, -1, 300], b=[b"x", b""], c=[0.5], d=[] of int64), written by TensorFlow 2.21.
BY_TENSORFLOW = bytes.fromhex(
    "0a3e0a160a016112111a0f0a0d01ffffffffffffffffff01ac020a0c0a016212070a050a01780a000a0d0a0163120812060a040000003f0a070a016412021a00"
)


def values_of(dtype: str) -> st.SearchStrategy[Any]:
    if dtype in INTEGERS:
        limits = np.iinfo(dtype)
        return st.one_of(
            st.integers(int(limits.min), int(limits.max)), st.sampled_from([limits.min, limits.max]).map(int)
        )
    return {
        "string": st.text(max_size=20),
        "bytes": st.binary(max_size=20),
        "bool": st.booleans(),
        "float32": st.floats(width=32, allow_nan=False),
    }[dtype]


def shapes_of(dtype: str) -> st.SearchStrategy[tuple[int | None, ...]]:
    tensors = st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple)
    plain = st.sampled_from([(), (None,)])
    ragged = tensors.map(lambda shape: (None, *shape))
    return plain if dtype in ("string", "bytes") else st.one_of(plain, tensors, ragged)


@st.composite
def features(draw: st.DrawFn) -> Feature:
    dtype = draw(st.sampled_from(["string", "bytes", "bool", "float32", *sorted(INTEGERS)]))
    return Feature(dtype=dtype, shape=draw(shapes_of(dtype)), optional=draw(st.booleans()))


@st.composite
def batches(draw: st.DrawFn) -> tuple[pa.RecordBatch, dict[str, Feature]]:
    named = draw(st.dictionaries(st.text(max_size=5), features(), min_size=1, max_size=4))
    size = draw(st.integers(0, 5))
    columns = [draw(columns_of(feature, size)) for feature in named.values()]
    return pa.record_batch(columns, schema=arrow_schema(named)), named


@st.composite
def columns_of(draw: st.DrawFn, feature: Feature, size: int) -> pa.Array:
    value = values_of(feature.dtype)
    if feature.is_tensor:
        count = math.prod(feature.tensor_shape)
        value = st.lists(value, min_size=count, max_size=count)
    elif feature.is_list:
        for count in reversed(feature.tensor_shape):
            value = st.lists(value, min_size=count, max_size=count)
        value = st.lists(value, max_size=4)
    value = st.one_of(st.none(), value) if feature.optional else value
    return as_column(feature, draw(st.lists(value, min_size=size, max_size=size)))


def as_column(feature: Feature, values: list[Any]) -> pa.Array:
    if not feature.is_tensor:
        return pa.array(values, feature.arrow_type)
    storage = pa.array(values, feature.arrow_type.storage_type)
    return pa.ExtensionArray.from_storage(feature.arrow_type, storage)


def as_message(row: dict[str, Any], named: Features) -> Any:
    """The same example, made by protobuf."""
    message: Any = example_class()()
    message.features.SetInParent()
    for name, feature in named.items():
        value = row[name]
        if value is None:
            continue
        target = message.features.feature[name]
        if feature.is_tensor:
            dtype = np.dtype(feature.dtype).newbyteorder("<")
            target.bytes_list.value.append(np.array(value, dtype).tobytes())
            continue
        values = value if feature.is_list else [value]
        for _ in feature.tensor_shape:
            values = [item for tensor in values for item in tensor]
        if feature.dtype in ("string", "bytes"):
            target.bytes_list.SetInParent()
            target.bytes_list.value.extend(v.encode() if isinstance(v, str) else v for v in values)
        elif feature.dtype == "float32":
            target.float_list.SetInParent()
            target.float_list.value.extend(values)
        else:
            target.int64_list.SetInParent()
            target.int64_list.value.extend(map(int, values))
    return message


def rows_of(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Rows as Python values, tensors as flat lists."""
    plain = [c.storage if isinstance(c, pa.ExtensionArray) else c for c in batch.columns]
    return [
        dict(zip(batch.schema.names, row, strict=True)) for row in zip(*(c.to_pylist() for c in plain), strict=True)
    ]


@settings(deadline=None)
@given(batches())
def test_decoding_gives_what_was_encoded(given_batch: tuple[pa.RecordBatch, dict[str, Feature]]) -> None:
    batch, named = given_batch
    decoded = decode_examples(encode_examples(batch, named), named)
    assert decoded.schema == batch.schema
    assert rows_of(decoded) == rows_of(batch)


@settings(deadline=None)
@given(batches())
def test_encoding_is_that_of_protobuf(given_batch: tuple[pa.RecordBatch, dict[str, Feature]]) -> None:
    batch, named = given_batch
    for record, row in zip(encode_examples(batch, named).to_pylist(), rows_of(batch), strict=True):
        message = as_message(row, named)
        assert example_class().FromString(record) == message
        assert len(record) == message.ByteSize()  # protobuf leaves the order of features open


@settings(deadline=None)
@given(batches(), st.data())
def test_encoding_a_slice_is_a_slice_of_the_encoding(
    given_batch: tuple[pa.RecordBatch, dict[str, Feature]], data: st.DataObject
) -> None:
    batch, named = given_batch
    start = data.draw(st.integers(0, batch.num_rows))
    length = data.draw(st.integers(0, batch.num_rows - start))
    whole, part = encode_examples(batch, named), encode_examples(batch.slice(start, length), named)
    assert part.to_pylist() == whole.to_pylist()[start : start + length]


@settings(deadline=None)
@given(batches(), st.binary(max_size=300))
def test_a_group_id_is_merged_into_a_record(
    given_batch: tuple[pa.RecordBatch, dict[str, Feature]], group_id: bytes
) -> None:
    batch, named = given_batch
    records = encode_examples(batch, named)
    suffix = encode_group_ids(pa.array([group_id] * len(records), pa.large_binary()))
    decoded = decode_examples(joined(records, suffix), {**named, "group_id": Feature(dtype="bytes")})
    assert decoded.column("group_id").to_pylist() == [group_id] * len(records)
    assert rows_of(decoded.drop_columns(["group_id"])) == rows_of(batch)


def test_a_later_group_id_wins() -> None:
    first, second = (encode_group_ids(pa.array([i], pa.large_binary())) for i in (b"first", b"second"))
    decoded = decode_examples(joined(first, second), {"group_id": Feature(dtype="bytes")})
    assert decoded.column("group_id").to_pylist() == [b"second"]


def test_encoding_is_that_of_tensorflow() -> None:
    named = {
        "a": Feature(dtype="int64", shape=(None,)),
        "b": Feature(dtype="bytes", shape=(None,)),
        "c": Feature(dtype="float32"),
        "d": Feature(dtype="int64", shape=(None,)),
    }
    row = {"a": [1, -1, 300], "b": [b"x", b""], "c": 0.5, "d": []}
    batch = pa.RecordBatch.from_pylist([row], arrow_schema(named))
    assert encode_examples(batch, named)[0].as_py() == BY_TENSORFLOW
    assert encode_examples(batch, dict(reversed(named.items())))[0].as_py() == BY_TENSORFLOW
    assert decode_examples(pa.array([BY_TENSORFLOW], pa.large_binary()), named).to_pylist() == [row]


def test_unpacked_numbers_are_read_as_packed_ones() -> None:
    record = bytes.fromhex("0a0d0a0b0a01611206 1a04 0801 0802".replace(" ", ""))
    named = {"a": Feature(dtype="int64", shape=(None,))}
    assert decode_examples(pa.array([record], pa.large_binary()), named).to_pylist() == [{"a": [1, 2]}]


@pytest.mark.parametrize("length", [0, 1, 127, 128, 16383, 16384, 2**21 - 1, 2**21, 2**21 + 200])
def test_lengths_at_the_edges_of_a_varint_survive(length: int) -> None:
    named = {"x": Feature(dtype="bytes"), "y": Feature(dtype="string", shape=(None,))}
    row = {"x": b"\xff" * length, "y": ["ü" * (length // 2), ""]}
    batch = pa.RecordBatch.from_pylist([row, {"x": b"", "y": []}], arrow_schema(named))
    records = encode_examples(batch, named)
    assert example_class().FromString(records[0].as_py()) == as_message(row, named)
    assert decode_examples(records, named).equals(batch)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.0, 1e-45, 3.4028234663852886e38])
def test_every_float_keeps_its_bits(value: float) -> None:
    named = {"x": Feature(dtype="float32"), "y": Feature(dtype="float32", shape=(2,))}
    columns = [as_column(named["x"], [value]), as_column(named["y"], [[value, 1.0]])]
    decoded = decode_examples(encode_examples(pa.record_batch(columns, schema=arrow_schema(named)), named), named)
    assert np.float32(decoded.column("x")[0].as_py()).tobytes() == np.float32(value).tobytes()
    assert decoded.column("y").storage.flatten().to_numpy().tobytes() == np.array([value, 1], "<f4").tobytes()


@pytest.mark.parametrize(
    ("feature", "values"),
    [
        (Feature(dtype="int64", shape=(None,)), [1, None]),
        (Feature(dtype="string", shape=(None,)), ["a", None]),
        (Feature(dtype="int64", shape=(None, 2)), [[1, 2], None]),
        (Feature(dtype="int64", shape=(None, 1, 2)), [[[1, 2]], [[1, None]]]),
        (Feature(dtype="int64", shape=(None, 2, 1)), [[[1], None]]),
    ],
)
def test_a_null_inside_a_list_is_refused(feature: Feature, values: list[Any]) -> None:
    batch = pa.record_batch({"x": pa.array([values], feature.arrow_type)})
    with pytest.raises(ExampleError, match="'x' has a null inside a list"):
        encode_examples(batch, {"x": feature})


def test_a_list_of_tensors_is_a_flat_list_to_others() -> None:
    named = {"x": Feature(dtype="float32", shape=(None, 2, 2)), "y": Feature(dtype="bool", shape=(None, 3))}
    row = {"x": [[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]], "y": []}
    batch = pa.RecordBatch.from_pylist([row], arrow_schema(named))
    (record,) = encode_examples(batch, named).to_pylist()
    lists = example_class().FromString(record).features.feature  # type: ignore[attr-defined]
    assert list(lists["x"].float_list.value) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert list(lists["y"].int64_list.value) == []
    assert [str(field.type) for field in arrow_schema(named)] == [
        "list<item: fixed_size_list<item: fixed_size_list<item: float>[2]>[2]>",
        "list<item: fixed_size_list<item: bool>[3]>",
    ]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.one_of(st.none(), st.lists(st.integers(), max_size=2)), max_size=3))
def test_no_list_is_not_an_empty_list(values: list[list[int] | None]) -> None:
    values = [None if v is None else [i % 100 for i in v] for v in values]
    named = {"x": Feature(dtype="int64", shape=(None,), optional=True)}
    batch = pa.record_batch([pa.array(values, pa.list_(pa.int64()))], schema=arrow_schema(named))
    assert decode_examples(encode_examples(batch, named), named).column("x").to_pylist() == values
