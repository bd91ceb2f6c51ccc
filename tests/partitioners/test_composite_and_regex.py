"""By several features, by a part of a text, and several values together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from partitioners import ByComposite, ByRegex, BySilos, ExampleIds, RulePartitioner


def _groups(partitioner: RulePartitioner, **columns: Any) -> list[bytes | None]:
    batch = pa.record_batch(columns)
    return partitioner.assign(batch, ExampleIds(0, np.arange(len(batch)))).to_pylist()


def test_composite_id_is_the_values_with_slashes_between() -> None:
    groups = _groups(ByComposite(features=["b", "a"]), a=pa.array([1813, None], pa.int32()), b=["austen", "austen"])
    assert groups == [b"austen/1813", None]


@given(st.lists(st.tuples(*[st.text("ab/%2F5", min_size=1, max_size=4)] * 3), min_size=2, max_size=30, unique=True))
def test_different_combinations_are_different_groups(rows: list[tuple[str, str, str]]) -> None:
    a, b, c = map(list, zip(*rows, strict=True))
    assert len(set(_groups(ByComposite(features=["a", "b", "c"]), a=a, b=b, c=c))) == len(rows)


def test_what_looks_escaped_is_another_group() -> None:
    assert len(set(_groups(ByComposite(features=["a", "b"]), a=["a/", "a%2F", "a%252F"], b=["b", "b", "b"]))) == 3


def test_composite_joins_bytes_as_they_are() -> None:
    groups = _groups(ByComposite(features=["a", "b"]), a=pa.array([b"\xff/", b"\xff"]), b=pa.array([b"\0", b""]))
    assert groups == [b"\xff%2F/\0", None]


@pytest.mark.parametrize(
    ("pattern", "group"),
    [
        ("^([a-z]+)-", b"mail"),
        (r"-(\d+)", b"17"),
        (r"-(?:\d)(\d)(.)", b"7"),
        ("(?P<name>mail)-(17)", b"mail"),
        ("(?i)(MAIL)", b"mail"),
        (r"\Q((\E|(é)", "é".encode()),
        (r"[()](.)", b"x"),
        (r"\((.)", b"x"),
        (r"[^]()]([()])", b"("),
        (r"[[:^alpha:](](\d)", b"1"),
        (r"(?:m(a)i)?l", b"a"),
        ("(mai(l))", b"mail"),
        ("(.)$", "é".encode()),
        ("(nowhere)", None),
        ("q?(q?)", b""),
    ],
)
def test_first_group_of_a_pattern_is_the_group_id(pattern: str, group: bytes | None) -> None:
    assert _groups(ByRegex(feature="k", pattern=pattern), k=["mail-17 (x) é"]) == [group]


def test_bytes_are_searched_as_text() -> None:
    values = pa.array(["é1".encode(), b"\xff1", b"a1", None])
    assert _groups(ByRegex(feature="k", pattern="^(.)1"), k=values) == ["é".encode(), None, b"a", None]


def test_numbers_are_searched_as_they_are_written() -> None:
    assert _groups(ByRegex(feature="k", pattern="^(..)"), k=[1234, 1299, 7]) == [b"12", b"12", None]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("^a$", "it captures nothing; put parentheses around the part that is the group id"),
        (r"\(a\)[(]b", "it captures nothing"),
        ("(?:a)", "it captures nothing"),
        ("(a", "refused by RE2: missing \\)\\. Correct it"),
        ("(?=a)(b)", "refused by RE2: invalid perl operator"),
        (r"(a)\1", "refused by RE2: invalid escape sequence"),
        ("", "at least 1 character"),
    ],
)
def test_pattern_that_cannot_be_is_refused_when_the_spec_is_read(pattern: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ByRegex(feature="k", pattern=pattern)


def test_pattern_that_would_hold_up_a_backtracking_search_does_not() -> None:
    assert _groups(ByRegex(feature="k", pattern="^((a+)+)$"), k=["a" * 50_000 + "b"]) == [None]


def test_silo_holds_all_examples_of_its_users_and_about_as_many_users_as_others() -> None:
    users = [f"user {i % 10_000}" for i in range(20_000)]
    silos = _groups(BySilos(feature="k", num_groups=100), k=users)
    assert silos[:10_000] == silos[10_000:]
    counts = np.bincount([int(silo) for silo in silos[:10_000]], minlength=100)
    assert abs(counts - 100).max() <= 4.5 * np.sqrt(100)
    assert ((counts - 100) ** 2).sum() / 100 == pytest.approx(99, abs=4 * np.sqrt(2 * 99))  # chi square


def test_another_user_moves_nobody_to_another_silo() -> None:
    some, more = ([f"user {i}" for i in range(n)] for n in (50, 60))
    partitioner = BySilos(feature="k", num_groups=7)
    assert _groups(partitioner, k=more)[:50] == _groups(partitioner, k=some)


def test_silo_follows_the_value_not_its_type() -> None:
    partitioner = BySilos(feature="k", num_groups=1000)
    assert _groups(partitioner, k=pa.array([17], pa.int32())) == _groups(partitioner, k=["17"])
