"""Checks of examples."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from groupstream import Feature
from validation import ExampleCheck
from validation.examples import violations

_F32, _LIST = pa.float32(), pa.list_(pa.float32())
_PATTERN, _UTF8 = "x: pattern ^https?://", "x: not valid UTF-8"
_DECODED, _CHANNELS = "cannot be decoded", "channels 1 or 4"


def _png(width: int, height: int, mode: str = "RGB") -> bytes:
    return _encoded(width, height, mode, "PNG")


def _jpeg(width: int, height: int) -> bytes:
    return _encoded(width, height, "RGB", "JPEG")


def _encoded(width: int, height: int, mode: str, kind: str) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    written = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(written, kind)
    return written.getvalue()


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
        ({"max_value": 12_345_678}, pa.array([0]), pa.array([2**40]), "x: max_value 12345678"),
        ({"finite": True}, pa.array([1.5, -1], _F32), pa.array([math.nan, math.inf, -math.inf], _F32), "x: not finite"),
        ({"finite": True}, pa.array([[1], []], _LIST), pa.array([[1, math.nan], [math.inf]], _LIST), "x: not finite"),
        ({"pattern": "^https?://"}, pa.array(["http://a", "https://b"]), pa.array(["", " http://a"]), _PATTERN),
        ({"pattern": "^.$"}, pa.array(["é"]), pa.array(["", "ab"]), "x: pattern ^.$"),
        ({"pattern": r"\xff"}, pa.array([b"a\xff"]), pa.array([b"", b"\xfe"]), r"x: pattern \xff"),
        ({"forbidden_pattern": "<b"}, pa.array(["", "b"]), pa.array(["a <b>"]), "x: forbidden_pattern <b"),
        ({"pattern": "\t" + "a" * 99}, pa.array(["\t" + "a" * 99]), pa.array([""]), rf"x: pattern \t{'a' * 58} ..."),
        ({"valid_utf8": True}, pa.array([b"", "é".encode()]), pa.array([b"\xff", b"\xc3", b"\xa9"]), _UTF8),
        ({"valid_utf8": True}, pa.array(["é"]), pa.array([b"\xed\xa0\x80"]), _UTF8),
        *(
            ({"text": {name: limit}}, pa.array(good), pa.array(bad), f"x: {name}{shown}")
            for name, limit, good, bad, shown in [
                ("min_words", 2, ["a b", "\ta\u3000b "], ["", "a", "a-b"], " 2"),
                ("max_words", 1, ["", "a"], ["a b", "é\né"], " 1"),
                ("min_mean_word_length", 2.5, ["ab abc", "ééé", " "], ["ab", "éé a"], " 2.5"),
                ("max_mean_word_length", 2, ["éé", "a aaa", ""], ["aaa", "aa aaa"], " 2"),
                ("max_word_length", 3, ["aaa aaa", "漢漢漢", ""], ["a aaaa", "漢漢漢漢"], " 3"),
                ("min_share_of_letters", 0.5, ["a1", "é !", "हिन्दी", ""], ["a12", "!"], " 0.5"),
                ("max_share_of_digits", 0.5, ["a1", "1 a", "", "²²²"], ["a12", "٣"], " 0.5"),
                ("max_share_of_repeated_lines", 0.5, ["a\na", "a\n\n\nb", ""], ["a\n a \r\na", "a\ra\ra"], " 0.5"),
                ("max_repeated_character", 2, ["aabb", "     ", "éé a"], ["aaa", "!!!!", "漢漢漢"], " 2"),
                ("control_characters", False, ["a\t\r\nb", "é"], ["\x00", "a\x1b[0m", "\x85"], ""),
                ("replacement_characters", False, ["?", "é"], ["\ufffd", "a\ufffd"], ""),
            ]
        ),
        *(
            ({"image": limits}, pa.array(good, pa.binary()), pa.array(bad, pa.binary()), f"x: {shown}")
            for limits, good, bad, shown in [
                ({}, [_png(3, 2), _jpeg(3, 2)], [b"", b"GIF89a", _png(30, 20)[:90], _jpeg(60, 60)[:-300]], _DECODED),
                ({"min_width": 3}, [_png(3, 1)], [_png(2, 9), _jpeg(2, 9)], "min_width 3"),
                ({"max_width": 3}, [_png(3, 9)], [_png(4, 1)], "max_width 3"),
                ({"min_height": 3}, [_png(1, 3)], [_png(9, 2)], "min_height 3"),
                ({"max_height": 3}, [_png(9, 3)], [_png(1, 4)], "max_height 3"),
                ({"channels": (1, 4)}, [_png(1, 1, "L"), _png(1, 1, "RGBA")], [_png(1, 1), _png(1, 1, "P")], _CHANNELS),
            ]
        ),
    ],
)
def test_check_passes_good_examples_and_finds_bad_ones(
    limits: dict[str, Any], good: pa.Array, bad: pa.Array, reason: str
) -> None:
    assert _found(ExampleCheck.model_validate(limits), good) == [None] * len(good)
    assert _found(ExampleCheck.model_validate(limits), bad) == [reason] * len(bad)
    if bad.type == good.type:
        mixed = pa.concat_arrays([bad, good, bad])
        expected = [reason] * len(bad) + [None] * len(good) + [reason] * len(bad)
        assert _found(ExampleCheck.model_validate(limits), mixed) == expected
        assert _found(ExampleCheck.model_validate(limits), mixed.slice(len(bad))) == expected[len(bad) :]


@pytest.mark.parametrize(
    "limits",
    [
        {"min_length": 1},
        {"max_length": 3},
        {"allowed": ("x",)},
        {"pattern": "x"},
        {"forbidden_pattern": "y"},
        {"valid_utf8": True},
        {"text": {"min_words": 1, "min_share_of_letters": 1, "replacement_characters": False}},
    ],
)
def test_null_is_its_own_reason_or_passes_where_it_may(limits: dict[str, Any]) -> None:
    for values in (pa.nulls(3, pa.string()), pa.array([None, "x"])):
        nulls = values.is_null().to_pylist()
        assert _found(ExampleCheck.model_validate(limits), values) == ["x: null" if null else None for null in nulls]
        assert _found(ExampleCheck.model_validate({**limits, "nullable": True}), values) == [None] * len(values)


def test_tensors_are_checked_for_infinities() -> None:
    kind = Feature(dtype="float32", shape=(2,)).arrow_type
    storage = pa.array([[1, 2], [1, math.inf], None, [math.nan, 0], [3, 4]], pa.list_(pa.float32(), 2))
    column = pa.ExtensionArray.from_storage(kind, storage)
    check = ExampleCheck(finite=True, nullable=True)
    assert _found(check, column) == [None, "x: not finite", None, "x: not finite", None]
    assert _found(check, column[1:]) == ["x: not finite", None, "x: not finite", None]


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


def test_text_rules_come_after_the_others_and_images_last() -> None:
    rules = ExampleCheck(max_length=3, text={"max_words": 1, "max_word_length": 1}, valid_utf8=True)
    assert _found(rules, pa.array(["a b c", "a b", "ab", "a"])) == [
        "x: max_length 3",
        "x: max_words 1",
        "x: max_word_length 1",
        None,
    ]
    images = ExampleCheck(min_length=5, image={"max_width": 1, "max_height": 1})
    found = _found(images, pa.array([b"", b"nothing", _png(2, 2), _png(1, 2), None]))
    assert found == ["x: min_length 5", "x: cannot be decoded", "x: max_width 1", "x: max_height 1", "x: null"]


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
