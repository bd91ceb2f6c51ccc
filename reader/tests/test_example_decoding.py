"""Records that are not what the features say."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from groupstream import CorruptError, ExampleError, Feature, SpecError
from groupstream.examples.decoding import decode_examples
from groupstream.examples.parsing import example_class
from groupstream.features import feature_of_arrow


def record_of(**lists: dict[str, Any]) -> pa.LargeBinaryArray:
    message: Any = example_class()()
    for name, values in lists.items():
        for field, items in values.items():
            target = getattr(message.features.feature[name], field)
            target.SetInParent()
            target.value.extend(items)
    return pa.array([message.SerializeToString()], pa.large_binary())


def test_a_record_that_is_no_example_is_corrupt() -> None:
    with pytest.raises(CorruptError, match=r"not a tf.train.Example"):
        decode_examples(pa.array([b"\xff\xff"], pa.large_binary()), {"x": Feature(dtype="int64")})


@pytest.mark.parametrize(
    ("feature", "stored", "message"),
    [
        (
            Feature(dtype="int64"),
            {"float_list": [1.0]},
            "is a float_list in an example; its dtype asks for a int64_list",
        ),
        (Feature(dtype="int64"), {"int64_list": [1, 2]}, "should hold one value and holds 2"),
        (Feature(dtype="int64"), {"int64_list": []}, "should hold one value and holds 0"),
        (Feature(dtype="uint8"), {"int64_list": [256]}, "'x' does not fit uint8"),
        (Feature(dtype="uint8"), {"int64_list": [-1]}, "'x' does not fit uint8"),
        (Feature(dtype="int32", shape=(None,)), {"int64_list": [2**31]}, "'x' does not fit int32"),
        (Feature(dtype="string"), {"bytes_list": [b"\xff"]}, "'x' does not fit string"),
        (Feature(dtype="string", shape=(None,)), {"bytes_list": [b"\xff"]}, "'x' does not fit string"),
        (Feature(dtype="int16", shape=(2,)), {"bytes_list": [b"abc"]}, "takes 4 bytes, an example has 3"),
        (Feature(dtype="int16", shape=(2,)), {"bytes_list": [b""]}, "takes 4 bytes, an example has 0"),
        (
            Feature(dtype="int8", shape=(None, 2, 2)),
            {"int64_list": [1, 2, 3, 4, 5, 6]},
            "takes a multiple of 4 values, an example has 6",
        ),
        (Feature(dtype="int8", shape=(None, 2)), {"int64_list": [1, 200]}, "'x' does not fit int8"),
        (Feature(dtype="bytes"), {}, "'x' is missing in 1 of 1 examples"),
    ],
)
def test_a_value_that_does_not_fit_is_named(feature: Feature, stored: dict[str, Any], message: str) -> None:
    lists = {"x": stored} if stored else {}
    with pytest.raises(ExampleError, match=message):
        decode_examples(record_of(y={"int64_list": [1]}, **lists), {"x": feature})


def test_a_feature_without_a_kind_is_an_empty_list() -> None:
    message: Any = example_class()()
    message.features.feature["x"].SetInParent()
    records = pa.array([message.SerializeToString()], pa.large_binary())
    decoded = decode_examples(records, {"x": Feature(dtype="string", shape=(None,))})
    assert decoded.to_pylist() == [{"x": []}]


def test_no_records_give_an_empty_batch_of_the_right_types() -> None:
    features = {
        "a": Feature(dtype="string"),
        "b": Feature(dtype="uint8", shape=(2, 2)),
        "c": Feature(dtype="bool", shape=(None,)),
    }
    batch = decode_examples(pa.array([], pa.large_binary()), features)
    assert batch.num_rows == 0
    assert [str(t) for t in batch.schema.types][::2] == ["string", "list<item: bool>"]
    assert batch.schema.field("b").type == features["b"].arrow_type


@pytest.mark.parametrize("shape", [(None, 0), (2, None), (None, None), (None, 2, None), (0,), (2, -1)])
def test_a_feature_of_an_impossible_shape_is_refused(shape: tuple[int | None, ...]) -> None:
    with pytest.raises(ValidationError, match="shape"):
        Feature(dtype="int64", shape=shape)


@pytest.mark.parametrize("shape", [(2,), (None, 2)])
def test_a_tensor_of_text_is_refused(shape: tuple[int | None, ...]) -> None:
    with pytest.raises(ValidationError, match="a tensor holds numbers"):
        Feature(dtype="string", shape=shape)


@pytest.mark.parametrize(
    ("kind", "feature"),
    [
        (pa.large_string(), Feature(dtype="string")),
        (pa.string_view(), Feature(dtype="string")),
        (pa.binary_view(), Feature(dtype="bytes")),
        (pa.large_list(pa.int8()), Feature(dtype="int8", shape=(None,))),
        (pa.fixed_shape_tensor(pa.bool_(), (2, 3)), Feature(dtype="bool", shape=(2, 3))),
        (pa.list_(pa.list_(pa.list_(pa.float32(), 3), 2)), Feature(dtype="float32", shape=(None, 2, 3))),
        (pa.large_list(pa.list_(pa.bool_(), 4)), Feature(dtype="bool", shape=(None, 4))),
    ],
)
def test_an_arrow_type_has_its_feature(kind: pa.DataType, feature: Feature) -> None:
    assert feature_of_arrow("x", kind) == feature


@pytest.mark.parametrize(
    ("kind", "way_out"),
    [
        (pa.float64(), "float32 to round it"),
        (pa.uint64(), "int64 or string"),
        (pa.null(), "only nulls"),
        (pa.timestamp("s"), "leave it out"),
        (pa.struct({"a": pa.int8()}), "leave it out"),
        (pa.list_(pa.list_(pa.int8())), "leave it out"),
        (pa.fixed_shape_tensor(pa.int8(), (2, 3), permutation=[1, 0]), "row-major"),
    ],
)
def test_an_arrow_type_without_a_feature_says_what_to_do(kind: pa.DataType, way_out: str) -> None:
    with pytest.raises(SpecError, match=f"feature 'x'.*{way_out}"):
        feature_of_arrow("x", kind)
