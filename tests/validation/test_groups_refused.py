"""Checks of groups that nothing could pass, or that cannot be run, are refused before any data is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from groupstream import SpecError
from validation import GroupChecks
from validation.group_refusals import refuse_impossible_group_checks


def _percentiles(*checks: tuple[str, float, dict[str, int]]) -> dict[str, Any]:
    return {"percentiles": [{"of": of, "percent": percent} | bounds for of, percent, bounds in checks]}


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"min_groups": 3, "max_groups": 2}, "min_groups 3 is above max_groups 2"),
        ({"min_examples": 3, "max_examples": 2}, "min_examples 3 is above max_examples 2"),
        ({"min_words": 3, "max_words": 2}, "min_words 3 is above max_words 2"),
        (
            _percentiles(("examples", 10, {"min": 5}), ("examples", 90, {"max": 4})),
            "the percentile of examples at 10 % asks for at least 5, the percentile of examples at 90 % for at most 4",
        ),
        (
            _percentiles(("words", 50, {"min": 5}), ("words", 50, {"max": 4})),
            "percentile of words at 50 % asks for at least 5, the percentile of words at 50 % for at most 4",
        ),
        (_percentiles(("examples", 50, {"max": 0})), "min_examples asks for at least 1, the percentile of examples"),
        (
            {"max_bytes": 5} | _percentiles(("bytes", 12.5, {"min": 6})),
            "percentile of bytes at 12.5 % asks for at least 6, max_bytes for at most 5",
        ),
        (
            {"max_groups": 9, "max_share_of_largest": 0.1},
            "max_share_of_largest 0.1 needs more groups than max_groups 9",
        ),
        ({"min_labels": 3, "max_examples": 2}, "min_labels 3 is above max_examples 2"),
        ({"max_groups": 1, "expected": ["a", "b"]}, "expected names 2 groups, more than max_groups 1"),
    ],
)
def test_limits_that_nothing_could_meet_are_refused(limits: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GroupChecks.model_validate(limits)


@pytest.mark.parametrize(
    "limits",
    [
        _percentiles(("examples", 90, {"min": 5}), ("examples", 10, {"max": 4})),
        _percentiles(("examples", 10, {"min": 5}), ("examples", 90, {"max": 5})),
        _percentiles(("examples", 10, {"min": 5}), ("words", 90, {"max": 4})),
        {"max_groups": 10, "max_share_of_largest": 0.1},
        {"min_labels": 2, "max_examples": 2},
    ],
)
def test_limits_that_can_be_met_are_not(limits: dict[str, Any]) -> None:
    refuse_impossible_group_checks(GroupChecks.model_validate(limits), has_labels=True)


@pytest.mark.parametrize("limits", [{"max_label_distance": 0.5}, {"min_labels": 2}])
def test_labels_are_asked_of_where_they_are_counted_only(limits: dict[str, Any]) -> None:
    checks = GroupChecks.model_validate(limits)
    refuse_impossible_group_checks(checks, has_labels=True)
    with pytest.raises(
        SpecError, match=rf"checks.groups.{next(iter(limits))} is .* set label_feature, or leave it out"
    ):
        refuse_impossible_group_checks(checks, has_labels=False)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no file at .*ids.txt, seen from .*. Give the path"),
        (b"a\nb\xff\n", "line 2 of .*ids.txt is not in UTF-8, from byte 1 on. Save it in UTF-8"),
        (b"\n\r\n", "ids.txt holds no id; write one a line"),
        (b"a\na\nb\nc", "expected_file name 4 groups, more than max_groups 3; raise it"),
    ],
)
def test_files_of_expected_ids_that_are_no_use_are_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "ids.txt"
    if content is not None:
        file.write_bytes(content)
    checks = GroupChecks(expected=("x",), expected_file=str(file), max_groups=3)
    with pytest.raises(SpecError, match=message):
        refuse_impossible_group_checks(checks, has_labels=False)
    file.write_bytes(b"a\na\nb\n")
    refuse_impossible_group_checks(checks, has_labels=False)


def test_a_folder_of_expected_ids_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be read: Is a directory"):
        refuse_impossible_group_checks(GroupChecks(expected_file=str(tmp_path)), has_labels=False)
