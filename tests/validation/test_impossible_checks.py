"""Checks of examples that are refused before any example is read."""

from __future__ import annotations

import re
import sys
from typing import Any

import pytest

from groupstream import Feature, SpecError
from validation import ExampleCheck
from validation.impossible_checks import refuse_impossible_checks

_FEATURES = {
    "text": Feature(dtype="string"),
    "data": Feature(dtype="bytes"),
    "n": Feature(dtype="int8"),
    "x": Feature(dtype="float32"),
    "flag": Feature(dtype="bool"),
    "tags": Feature(dtype="string", shape=(None,)),
    "tensor": Feature(dtype="uint8", shape=(2, 2)),
    "vectors": Feature(dtype="float32", shape=(None, 2)),
    "image": Feature(dtype="bytes", image_format="png"),
}
_EVERY: dict[str, Any] = {
    "min_length": 1,
    "max_length": 2,
    "min_value": 1,
    "max_value": 2,
    "finite": True,
    "allowed": ("a",),
    "pattern": "a",
    "forbidden_pattern": "b",
    "valid_utf8": True,
    "text": {"min_words": 1},
    "image": {},
}
_LENGTHS, _BYTES = {"min_length", "max_length"}, {"min_length", "max_length", "allowed", "pattern"}


@pytest.mark.parametrize(
    ("feature", "fitting"),
    [
        ("text", {*_BYTES, "forbidden_pattern", "valid_utf8", "text"}),
        ("data", {*_BYTES, "forbidden_pattern", "valid_utf8"}),
        ("n", {"min_value", "max_value"}),
        ("x", {"min_value", "max_value", "finite"}),
        ("tags", _LENGTHS),
        ("vectors", {*_LENGTHS, "finite"}),
        ("flag", set()),
        ("tensor", set()),
        ("image", {*_LENGTHS, "image"}),
    ],
)
def test_limits_that_fit_a_feature_are_taken_and_others_refused(feature: str, fitting: set[str]) -> None:
    for limit, value in _EVERY.items():
        check = {feature: ExampleCheck.model_validate({limit: value})}
        if limit in fitting:
            refuse_impossible_checks(check, _FEATURES)
        else:
            key = re.escape(f"checks.examples.{feature}.{limit} ")
            with pytest.raises(SpecError, match=f"^{key}.+ does not apply to a feature") as caught:
                refuse_impossible_checks(check, _FEATURES)
            assert "\n" not in str(caught.value)


def test_a_message_names_the_key_the_value_and_the_feature() -> None:
    for check, message in [
        (
            {"n": {"pattern": "^a"}},
            "n.pattern '^a' does not apply to a feature of dtype int8; change it or leave it out",
        ),
        (
            {"data": {"text": {"min_words": 5}}},
            "{'min_words': 5} does not apply to a feature of dtype bytes; declare",
        ),
        (
            {"image": {"text": {"min_words": 5}}},
            "to a feature of dtype bytes, an encoded png image; change it",
        ),
        ({"vectors": {"image": {"min_width": 1}}}, "to a feature of dtype float32 and shape [null, 2]; change it"),
        ({"n": {"allowed": (1, "a")}}, "n.allowed 'a' does not apply to a feature of dtype int8; write whole numbers"),
    ]:
        with pytest.raises(SpecError, match=re.escape(message)):
            refuse_impossible_checks(_checks(check), _FEATURES)


def test_dtype_and_shape_are_held_against_the_source() -> None:
    good = {"n": {"dtype": "int8", "shape": []}, "tags": {"shape": [None]}, "tensor": {"shape": (2, 2)}}
    refuse_impossible_checks(_checks(good), _FEATURES)
    for check, message in [
        ({"n": {"dtype": "int64"}}, "n.dtype 'int64' does not hold: the source gives a feature of dtype int8; mend"),
        ({"n": {"shape": [None]}}, "n.shape [null] does not hold: the source gives a feature of dtype int8"),
        (
            {"tensor": {"shape": []}},
            "[] does not hold: the source gives a feature of dtype uint8 and shape [2, 2]",
        ),
    ]:
        with pytest.raises(SpecError, match=re.escape(message)):
            refuse_impossible_checks(_checks(check), _FEATURES)


@pytest.mark.parametrize(
    ("check", "message"),
    [
        ({"n": {"min_value": 128}}, "n: no int8 has min_value 128, so nothing could pass"),
        ({"n": {"max_value": -128.5}}, "n: no int8 has max_value -128.5, so"),
        ({"n": {"min_value": 0.2, "max_value": 0.8}}, "n: no int8 has min_value 0.2 and max_value 0.8, so"),
        ({"x": {"min_value": 1e39}}, "x: no float32 has min_value"),
        ({"n": {"allowed": (1, 7), "max_value": 5}}, "n.allowed 7 breaks max_value 5; leave one of them out"),
        ({"n": {"allowed": (300,)}}, "n.allowed 300 is no int8; leave it out"),
        ({"text": {"allowed": ("ab", "a"), "min_length": 2}}, "text.allowed 'a' breaks min_length 2"),
        ({"data": {"allowed": ("é",), "max_length": 1}}, "data.allowed 'é' breaks max_length 1"),
        ({"text": {"allowed": ("a",), "pattern": "b"}}, "text.allowed 'a' breaks pattern b"),
        ({"text": {"allowed": ("a",), "text": {"min_words": 2}}}, "text.allowed 'a' breaks min_words 2"),
    ],
)
def test_checks_that_no_value_passes_are_refused(check: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=re.escape(f"checks.examples.{message}")):
        refuse_impossible_checks(_checks(check), _FEATURES)


def test_bounds_that_some_value_passes_are_taken() -> None:
    for limits in ({"min_value": 127}, {"max_value": -128}, {"min_value": 0.2, "max_value": 1}, {"max_value": 1e9}):
        refuse_impossible_checks(_checks({"n": limits}), _FEATURES)
    refuse_impossible_checks(_checks({"x": {"min_value": 0.2, "max_value": 0.8}}), _FEATURES)


def test_images_without_pillow_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(SpecError, match=r"examples\.image\.image decodes .*pip install 'groupstream\[images\]'"):
        refuse_impossible_checks(_checks({"image": {"image": {}}}), _FEATURES)


def _checks(checks: dict[str, Any]) -> dict[str, ExampleCheck]:
    return {name: ExampleCheck.model_validate(check) for name, check in checks.items()}


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


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"text": {"min_words": 3, "max_words": 2}}, "min_words 3 is above max_words 2"),
        (
            {"text": {"min_mean_word_length": 9, "max_word_length": 8}},
            "length 9.0 is above max_word_length 8",
        ),
        ({"text": {"min_words": 5}, "max_length": 8}, "text.min_words 5 takes 9 characters, more than max_length 8"),
        (
            {"pattern": "a", "forbidden_pattern": "a"},
            "are both 'a', so nothing could pass",
        ),
        ({"pattern": "("}, "it is refused by RE2: missing )"),
        ({"forbidden_pattern": r"(a)\1"}, "it is refused by RE2: invalid escape sequence"),
        ({"image": {"min_width": 2, "max_width": 1}}, "min_width 2 is above max_width 1"),
    ],
)
def test_contradictions_and_patterns_that_do_not_compile_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        ExampleCheck.model_validate(fields)
