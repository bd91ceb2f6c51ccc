"""Checks of examples."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groupstream import Feature, SpecError
from validation import ExampleCheck
from validation.examples import violations
from validation.impossible_checks import refuse_impossible_checks


def reasons(checks: dict[str, ExampleCheck], batch: pa.RecordBatch) -> list[str | None]:
    found = np.full(len(batch), None, object)
    for reason, mask in violations(checks, batch).items():
        assert mask.any() and (found[mask] == None).all()  # noqa: E711
        found[mask] = reason
    return found.tolist()


def _found(check: ExampleCheck, values: pa.Array) -> list[str | None]:
    return reasons({"x": check}, pa.record_batch({"x": values}))


@pytest.mark.parametrize(
    ("limits", "good", "bad", "reason"),
    [
        ({}, pa.array(["", "x"]), pa.array([None], pa.string()), "x: null"),
        ({"min_length": 2}, pa.array(["ab", "éé", "😀😀"]), pa.array(["", "é", "😀"]), "x: min_length 2"),
        ({"max_length": 2}, pa.array(["", "éé"]), pa.array(["abc"]), "x: max_length 2"),
        ({"min_length": 2}, pa.array([b"\xff\xff"]), pa.array([b"", b"a"]), "x: min_length 2"),
        ({"max_length": 1}, pa.array([b"", b"a"]), pa.array(["é".encode()]), "x: max_length 1"),
        ({"min_length": 1}, pa.array([[1], [None]]), pa.array([[]], pa.list_(pa.int64())), "x: min_length 1"),
        ({"max_length": 1}, pa.array([["long"], []]), pa.array([["a", "b"]]), "x: max_length 1"),
        ({"min_value": 2}, pa.array([2, 2**62]), pa.array([1, -(2**62)]), "x: min_value 2"),
        ({"max_value": 2.5}, pa.array([2, -1]), pa.array([3]), "x: max_value 2.5"),
        ({"max_value": 1e3}, pa.array([127], pa.int8()), pa.array([1001], pa.int16()), "x: max_value 1000"),
        ({"max_value": 0.1}, pa.array([0.1], pa.float32()), pa.array([0.11], pa.float32()), "x: max_value 0.1"),
        ({"min_value": 0}, pa.array([0.0], pa.float32()), pa.array([math.nan], pa.float32()), "x: min_value 0"),
        ({"allowed": ("a", "é")}, pa.array(["a", "é"]), pa.array(["A", ""]), "x: not among the allowed values"),
        ({"allowed": ("a",)}, pa.array([b"a"]), pa.array([b"b"]), "x: not among the allowed values"),
        (
            {"allowed": (1, 300)},
            pa.array([1], pa.uint8()),
            pa.array([2], pa.uint8()),
            "x: not among the allowed values",
        ),
    ],
)
def test_check_passes_good_examples_and_finds_bad_ones(
    limits: dict[str, Any], good: pa.Array, bad: pa.Array, reason: str
) -> None:
    assert _found(ExampleCheck(**limits), good) == [None] * len(good)
    assert _found(ExampleCheck(**limits), bad) == [reason] * len(bad)
    if bad.type == good.type:
        mixed = pa.concat_arrays([bad, good, bad])
        expected = [reason] * len(bad) + [None] * len(good) + [reason] * len(bad)
        assert _found(ExampleCheck(**limits), mixed) == expected
        assert _found(ExampleCheck(**limits), mixed.slice(len(bad))) == expected[len(bad) :]


@pytest.mark.parametrize("limits", [{"min_length": 1}, {"max_length": 3}, {"allowed": ("x",)}])
def test_null_is_its_own_reason_or_passes_where_it_may(limits: dict[str, Any]) -> None:
    for values in (pa.nulls(3, pa.string()), pa.array([None, "x"])):
        nulls = values.is_null().to_pylist()
        assert _found(ExampleCheck(**limits), values) == ["x: null" if null else None for null in nulls]
        assert _found(ExampleCheck(**limits, nullable=True), values) == [None] * len(values)


def test_tensors_are_checked_for_null() -> None:
    kind = Feature(dtype="uint8", shape=(2,)).arrow_type
    values = pa.ExtensionArray.from_storage(kind, pa.array([[1, 2], None], pa.list_(pa.uint8(), 2)))
    assert _found(ExampleCheck(), values) == [None, "x: null"]


def test_first_check_that_an_example_breaks_is_its_reason() -> None:
    checks = {"b": ExampleCheck(min_length=1, allowed=("x",)), "a": ExampleCheck(min_value=1)}
    batch = pa.record_batch({"a": [0, 0, 0, 1], "b": ["", "y", "x", None], "c": [None] * 4})
    assert reasons(checks, batch) == [
        "b: min_length 1",
        "b: not among the allowed values",
        "a: min_value 1",
        "b: null",
    ]


def test_no_checks_or_no_examples_find_nothing() -> None:
    assert violations({}, pa.record_batch({"x": [1, 2]})) == {}
    assert _found(ExampleCheck(min_length=1), pa.array([], pa.string())) == []


def _naive(check: ExampleCheck, value: Any, dtype: str) -> str | None:
    if value is None:
        return None if check.nullable else "x: null"
    if check.min_length is not None and len(value) < check.min_length:
        return f"x: min_length {check.min_length}"
    if check.max_length is not None and len(value) > check.max_length:
        return f"x: max_length {check.max_length}"
    round_to = np.float32 if dtype == "float32" else float
    if check.min_value is not None and not value >= round_to(check.min_value):
        return f"x: min_value {check.min_value:g}"
    if check.max_value is not None and not value <= round_to(check.max_value):
        return f"x: max_value {check.max_value:g}"
    if check.allowed is not None and value not in check.allowed:
        return "x: not among the allowed values"
    return None


_LENGTHS = st.integers(0, 4) | st.none()
_NUMBERS = st.integers(-3, 3).map(lambda n: n / 2) | st.none()
_TEXTS = st.text(alphabet="aé😀", max_size=4)
_KINDS: dict[str, tuple[st.SearchStrategy[Any], list[str], st.SearchStrategy[Any]]] = {
    "string": (_TEXTS, ["min_length", "max_length", "allowed"], _TEXTS),
    "bytes": (st.binary(max_size=4), ["min_length", "max_length"], _TEXTS),
    "int8": (st.integers(-3, 3), ["min_value", "max_value", "allowed"], st.integers(-3, 3)),
    "int64": (st.integers(-3, 3), ["min_value", "max_value", "allowed"], st.integers(-3, 3)),
    "float32": (st.floats(-3, 3, width=32) | st.just(math.nan), ["min_value", "max_value"], _TEXTS),
}


@settings(max_examples=120, deadline=None)
@given(data=st.data(), dtype=st.sampled_from(sorted(_KINDS)), nullable=st.booleans())
def test_violations_agree_with_a_loop(data: st.DataObject, dtype: Any, nullable: bool) -> None:
    values_of, limits, allowed_of = _KINDS[dtype]
    drawn = {
        "min_length": data.draw(_LENGTHS),
        "max_length": data.draw(_LENGTHS),
        "min_value": data.draw(_NUMBERS),
        "max_value": data.draw(_NUMBERS),
        "allowed": data.draw(st.lists(allowed_of, min_size=1, max_size=3).map(tuple) | st.none()),
    }
    check = ExampleCheck.model_construct(**{name: drawn[name] for name in limits}, nullable=nullable)
    values = data.draw(st.lists(values_of | st.none(), max_size=12))
    column = pa.array(values, Feature(dtype=dtype).arrow_type)
    assert _found(check, column) == [_naive(check, value, dtype) for value in column.to_pylist()]


_FEATURES = {
    "text": Feature(dtype="string"),
    "data": Feature(dtype="bytes"),
    "n": Feature(dtype="int8"),
    "x": Feature(dtype="float32"),
    "flag": Feature(dtype="bool"),
    "tags": Feature(dtype="string", shape=(None,)),
    "image": Feature(dtype="uint8", shape=(2, 2)),
}


@pytest.mark.parametrize(
    ("feature", "limits"),
    [
        ("text", {"min_length": 1, "max_length": 2, "allowed": ("a",)}),
        ("data", {"min_length": 1, "max_length": 2, "allowed": ("a",)}),
        ("n", {"min_value": 1, "max_value": 2, "allowed": (1,)}),
        ("x", {"min_value": 1, "max_value": 2}),
        ("tags", {"min_length": 1, "max_length": 2}),
        ("flag", {}),
        ("image", {}),
    ],
)
def test_checks_that_examples_can_answer_are_taken(feature: str, limits: dict[str, Any]) -> None:
    refuse_impossible_checks({feature: ExampleCheck(**limits)}, _FEATURES)
    every: dict[str, Any] = {"min_length": 1, "max_length": 2, "min_value": 1, "max_value": 2, "allowed": ("a",)}
    for limit in every.keys() - limits.keys():
        with pytest.raises(SpecError, match=rf"checks\.examples\.{feature}\.{limit} .* does not apply to a feature of"):
            refuse_impossible_checks({feature: ExampleCheck(**{limit: every[limit]})}, _FEATURES)


@pytest.mark.parametrize(("feature", "allowed"), [("text", (1,)), ("text", ("a", 1)), ("n", ("1",)), ("data", (1,))])
def test_allowed_values_of_another_type_are_refused(feature: str, allowed: Any) -> None:
    with pytest.raises(SpecError, match=rf"checks\.examples\.{feature}\.allowed .* does not apply"):
        refuse_impossible_checks({feature: ExampleCheck(allowed=allowed)}, _FEATURES)


def test_check_of_an_unknown_feature_is_refused() -> None:
    with pytest.raises(
        SpecError, match=r"checks\.examples names 'txet', which the source does not give; it gives text,"
    ):
        refuse_impossible_checks({"txet": ExampleCheck()}, _FEATURES)


@pytest.mark.parametrize("what", ["length", "value"])
def test_limits_that_nothing_could_meet_are_refused(what: str) -> None:
    with pytest.raises(ValueError, match=f"min_{what} 3.* is above max_{what} 2.*, so nothing could pass"):
        ExampleCheck.model_validate({f"min_{what}": 3, f"max_{what}": 2})
