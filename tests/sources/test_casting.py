"""Features that a spec chooses, renames and casts."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pyarrow as pa
import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from groupstream import ExampleError, Feature, SpecError
from sources.casting import cast_column
from sources.choice import FeatureChoice, Selection
from sources.selection import chosen_features, conform, selected_features

INFINITY = float("inf")
LOSSLESS = [
    (pa.array([1.0, -2.0, None]), "int64", [1, -2, None]),
    (pa.array(["1", "-2"]), "int8", [1, -2]),
    (pa.array([0.1, 1e38]), "float32", None),  # rounded
    (pa.array([INFINITY, -INFINITY, None]), "float32", [INFINITY, -INFINITY, None]),
    (pa.array(["0.5"]), "float32", [0.5]),
    (pa.array([0, 1, None]), "bool", [False, True, None]),
    (pa.array(["true", "0"]), "bool", [True, False]),
    (pa.array([None, None]), "float32", [None, None]),
    (pa.array(["a", "b"]).dictionary_encode(), "string", ["a", "b"]),
    (pa.array(["1", "2"]).dictionary_encode(), "int64", [1, 2]),
    (pa.array([b"\xc3\xa9"]), "string", ["é"]),
    (pa.array([2**63], pa.uint64()), "string", ["9223372036854775808"]),
]
LOSSY = [
    (pa.array([1.5]), "int64"),
    (pa.array([300]), "int8"),
    (pa.array([-1]), "uint8"),
    (pa.array([1e300]), "float32"),
    (pa.array([INFINITY, 1e39]), "float32"),
    (pa.array(["1e39"]), "float32"),
    (pa.array([2**25 + 1]), "float32"),
    (pa.array(["one"]), "int64"),
    (pa.array([""]), "float32"),
    (pa.array([2]), "bool"),
    (pa.array([0.5]), "bool"),
    (pa.array(["maybe"]), "bool"),
    (pa.array([b"\xff"]), "string"),
    (pa.array([2**63], pa.uint64()), "int64"),
    (pa.array([1]), "bytes"),
]


@pytest.mark.parametrize(("column", "dtype", "expected"), LOSSLESS, ids=str)
def test_value_that_fits_is_cast(column: pa.Array, dtype: Any, expected: Any) -> None:
    found = cast_column(column, Feature(dtype=dtype))
    assert found.type == Feature(dtype=dtype).arrow_type
    assert found.to_pylist() == (column.cast(found.type).to_pylist() if expected is None else expected)


@pytest.mark.parametrize(("column", "dtype"), LOSSY, ids=str)
@pytest.mark.parametrize("in_list", [False, True])
def test_value_that_would_change_is_refused_with_its_place(column: pa.Array, dtype: Any, in_list: bool) -> None:
    good = pa.nulls(3, column.type)
    whole = pa.concat_arrays([good, column.slice(len(column) - 1)])
    if in_list and dtype != "bytes":
        whole = pa.ListArray.from_arrays(range(len(whole) + 1), whole)
    feature = Feature(dtype=dtype, shape=(None,) if pa.types.is_list(whole.type) else ())
    with pytest.raises(ExampleError, match=r"^a\.csv, row 14: x is .*, which is no .*under source\.features"):
        conform(pa.record_batch({"x": whole}), {"x": feature}, "a.csv, row", first=11)


def test_what_lies_around_a_slice_of_lists_is_not_looked_at() -> None:
    column = pa.array([[1.5], [1.0, 2.0], [2.5]]).slice(1, 1)
    assert cast_column(column, Feature(dtype="int64", shape=(None,))).to_pylist() == [[1, 2]]


def test_lists_of_fixed_size_are_tensors() -> None:
    kind = pa.list_(pa.list_(pa.float64(), 2), 3)
    rows = [[[1, 2], [3, 4], [5, 6]], None, [[0, 0], [0, 0], [0, 0.5]]]
    features = selected_features(_selection({"x": "float32"}), pa.schema([("x", kind)]))
    assert features == {"x": Feature(dtype="float32", shape=(3, 2))}
    batch = pa.record_batch({"x": pa.array([None, *rows], kind).slice(1)})
    column = conform(batch, features, "here").column(0)
    assert column.type == features["x"].arrow_type
    assert [None if row is None else list(row) for row in column.to_pylist()] == [
        None if row is None else [value for pair in row for value in pair] for row in rows
    ]
    assert selected_features(None, pa.schema([("x", pa.list_(pa.int32(), 4))])) == {
        "x": Feature(dtype="int32", shape=(4,))
    }


def test_features_of_one_name_and_tensors_of_nothing_are_refused() -> None:
    schema = pa.schema([("a", pa.int64()), ("a", pa.int64()), ("b", pa.int64())])
    with pytest.raises(SpecError, match="the source has 2 features that are named 'a'; name each once there"):
        selected_features(None, schema)
    assert list(selected_features(_selection(["b"]), schema)) == ["b"]
    empty = pa.schema([("x", pa.list_(pa.int64(), 0))])
    with pytest.raises(SpecError, match=r"'x' is fixed_size_list<.*>\[0\].*; declare its dtype"):
        selected_features(None, empty)
    assert selected_features(_selection({"x": "int64"}), empty) == {"x": Feature(dtype="int64", shape=(None,))}


@pytest.mark.parametrize("dtype", ["int64", "uint8", "float32"])
def test_null_inside_a_tensor_is_refused(dtype: Any) -> None:
    """Its bytes would be those of other numbers: with a null among them, Arrow gives whole numbers as floats."""
    feature = Feature(dtype=dtype, shape=(3,))
    rows = [[0, 1, 2], None, [0, None, 2], [1, 1, 1]]
    column = pa.array([[None, 0, 0], *rows], pa.list_(feature.value_type, 3)).slice(1)
    with pytest.raises(ExampleError, match=r"row 13: x is \[0.*, None, 2.*\], which is no tensor of .* without nulls"):
        conform(pa.record_batch({"x": column}), {"x": feature}, "a.parquet, row", first=11)
    assert cast_column(column.slice(0, 2), feature).is_valid().to_pylist() == [True, False]


def _selection(value: Any) -> Selection:
    return TypeAdapter(Selection).validate_python(value)


SCHEMA = pa.schema([("text", pa.string()), ("n", pa.int64()), ("group_id", pa.string())])


def test_features_are_renamed() -> None:
    wanted = _selection(
        {"words": {"from": "text"}, "text": {"from": "n", "dtype": "string"}, "key": {"from": "group_id"}}
    )
    features = selected_features(wanted, SCHEMA)
    assert features == {name: Feature(dtype="string") for name in ("words", "text", "key")}
    batch = pa.RecordBatch.from_pylist([{"text": "a", "n": 1, "group_id": "g"}], SCHEMA)
    assert conform(batch, features, "here", wanted=wanted).to_pylist() == [{"words": "a", "text": "1", "key": "g"}]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"a": {"from": "text"}, "b": {"from": "text"}}, "source.features takes 'text' of the source twice"),
        ({"a": {"from": "txt"}}, "source.features names 'txt', which the source does not have; did you mean 'text'?"),
        ({"group_id": {"from": "text"}}, "rename it there, such as {new_name: {from: old_name}}"),
        ([], "no feature is left"),
    ],
)
def test_selection_that_makes_no_sense_is_refused(wanted: Any, message: str) -> None:
    known = {"text": Feature(dtype="string"), "n": Feature(dtype="int64")}
    for choose in (lambda w: selected_features(w, SCHEMA), lambda w: chosen_features(w, known)):
        with pytest.raises(SpecError) as caught:
            choose(_selection(wanted))
        assert message in str(caught.value)


class _Model(BaseModel):
    features: Selection = None


def test_selection_is_written_as_it_was_read() -> None:
    fields = {"features": {"a": "float32", "b": {"from": "c"}, "d": {"dtype": "string", "from": "e"}}}
    model = _Model.model_validate(fields, extra="forbid")
    assert model.model_dump(mode="json") == fields
    assert _Model.model_validate_json(model.model_dump_json()) == model
    assert pickle.loads(pickle.dumps(model)) == model


@pytest.mark.parametrize("choice", ["strng", {"dtyp": "string"}, {"dtype": "strng"}, 3])
def test_choice_that_is_none_is_refused(choice: Any) -> None:
    with pytest.raises(ValidationError):
        _Model.model_validate({"features": {"a": choice}}, extra="forbid")


def test_form_takes_a_type_alone_or_with_a_name() -> None:
    type_alone, full = FeatureChoice.model_json_schema()["anyOf"]
    assert "float32" in type_alone["enum"]
    assert set(full["properties"]) == {"dtype", "from"}
    json.dumps(_Model.model_json_schema())
