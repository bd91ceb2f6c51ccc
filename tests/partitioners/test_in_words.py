"""What partitioners and splits say of themselves, for people: in the card of a version."""

from __future__ import annotations

import doctest
import re
from typing import Any, get_args

import pytest
from partitioner_cases import CASES, Case
from pydantic import TypeAdapter, ValidationError

import partitioners.words
from partitioners import AnyPartitioner, ByFeature, ByFixedSizes, Partitioner
from partitioners.splits import AnySplits

NUMBERS = ("num_groups", "alpha", "ids_per_silo", "group_examples", "strictness", "labels_per_group", "num_clusters")


def test_examples_in_docstrings_run() -> None:
    assert doctest.testmod(partitioners.words).failed == 0


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.partitioner.kind)
def test_a_partitioner_says_in_one_sentence_what_it_reads_and_its_numbers(case: Case) -> None:
    partitioner = case.partitioner
    words = partitioner.in_words
    assert words[0].isupper() or words[0].isdigit()
    assert words.endswith(".") and ". " not in words and "\n" not in words and len(words) < 300
    key = getattr(partitioner, "example_key", None)
    assert all(f"`{name}`" in words for name in partitioner.reads - {key})
    for name in NUMBERS:
        if (number := getattr(partitioner, name, None)) is not None:
            assert re.search(rf"\b{re.escape(format(number, 'g'))}\b", words.replace(",", "")), name


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.partitioner.kind)
def test_every_choice_of_a_partitioner_has_words(case: Case) -> None:
    """Two partitioners that differ in a key that is a choice say two things."""
    partitioner = case.partitioner
    for name, field in type(partitioner).model_fields.items():
        choices = get_args(field.annotation)
        if name in ("missing", "kind", "unit") or not all(isinstance(choice, str) for choice in choices):
            continue
        sentences = [_changed(partitioner, name, choice) for choice in choices]
        assert len(set(sentences) - {None}) == len([s for s in sentences if s is not None]), name


def _changed(partitioner: Partitioner, name: str, value: Any) -> str | None:
    try:
        return type(partitioner).model_validate({**partitioner.model_dump(), name: value}).in_words
    except ValidationError:
        return None


def test_long_names_are_cut() -> None:
    assert len(ByFeature(feature="x" * 10_000).in_words) < 200
    composite = {"kind": "composite", "features": [f"feature {i}" for i in range(999)]}
    assert len(TypeAdapter(AnyPartitioner).validate_python(composite).in_words) < 300


def test_sizes_are_said_as_the_spec_says_them() -> None:
    found = [ByFixedSizes.model_validate(s).in_words for s in ({"group_examples": 600}, {"sizes": [7, 3]})]
    assert found[0] == "Groups of exactly 600 examples, drawn at random without replacement."
    assert found[1].startswith("2 groups of 3 to 7 examples, as the spec lists them, ")


@pytest.mark.parametrize(
    ("missing", "words"),
    [("fail", ""), ("drop", "Examples without a group are left out."),
     ("group", "Examples without a group are together in `(none)`.")],
)  # fmt: skip
def test_what_becomes_of_examples_without_a_group_is_said(missing: Any, words: str) -> None:
    assert ByFeature(feature="a", missing=missing).missing_in_words == words


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"by": "group", "fractions": {"train": 0.9, "test": 0.1}},
         "Each group is in one split, by a draw: 90 % train, 10 % test."),
        ({"by": "example", "fractions": {"train": 0.9, "test": 0.1}},
         "Each example of a group is in a split by a draw of its own: 90 % train, 10 % test."),
        ({"by": "both", "groups": {"a": 1}, "examples": {"b": 0.5, "c": 0.5}},
         "Groups are held out by a draw (100 % a), and so are examples of each (50 % b, 50 % c); a pair is a split."),
    ],
)  # fmt: skip
def test_splits_say_which_examples_are_in_which(spec: dict[str, Any], words: str) -> None:
    assert TypeAdapter(AnySplits).validate_python(spec).in_words == words
