"""What the checks of examples found, in words, and what a preview refuses."""

from __future__ import annotations

import re
from typing import Any

import pytest

from groupstream import CheckError
from groupstream.manifest import CheckResult
from pipelines.example_results import example_results
from pipelines.refusals import refuse_dropped
from pipelines.tally import Tally, total
from specs import Spec
from validation import Checks

EXAMPLES: dict[str, Any] = {
    "text": {
        "dtype": "string",
        "shape": [],
        "min_length": 1,
        "pattern": "^a",
        "text": {"min_words": 5, "max_share_of_digits": 0.25, "control_characters": False},
    },
    "n": {"nullable": True, "max_value": 1_000_000, "allowed": [1, 2], "finite": False},
    "picture": {"image": {"channels": [1, 3]}},
}


def tally_of(*dropped: tuple[str, int, list[int]]) -> Tally:
    """Of 7,488 examples: reasons, how many, and the rows of the first."""
    tallies = [
        Tally().with_dropped(reason, [(0, row, f"a.jsonl row {row:,}") for row in rows], count)
        for reason, count, rows in dropped
    ]
    return total([Tally(7_488), *tallies])


def by_name(results: list[CheckResult]) -> dict[str, CheckResult]:
    assert {result.kind for result in results} == {"examples"}
    return {result.name: result for result in results}


def checks_of(**tolerance: Any) -> Checks:
    return Checks.model_validate({"examples": EXAMPLES, **tolerance})


def test_every_rule_has_a_result_in_the_order_of_the_spec() -> None:
    found = [(result.name, result.limit, result.observed) for result in example_results(checks_of(), tally_of())]
    none = "0 of 7,488"
    assert found == [
        ("text: dtype", "string", "string"),
        ("text: shape", "[]", "[]"),
        ("text: null", "none", none),
        ("text: min_length", "at least 1", none),
        ("text: pattern", "found: ^a", none),
        ("text: min_words", "at least 5", none),
        ("text: max_share_of_digits", "at most 0.25", none),
        ("text: control_characters", "none", none),
        ("n: max_value", "at most 1,000,000", none),
        ("n: allowed", "one of 1, 2", none),
        ("picture: null", "none", none),
        ("picture: decodes", "decodes", none),
        ("picture: channels", "1 or 3", none),
        ("examples that break a check", "none", none),
    ]
    assert all(result.passed and not result.offenders for result in example_results(checks_of(), tally_of()))


def test_what_is_broken_fails_with_its_count_and_the_first_offenders() -> None:
    tally = tally_of(
        ("check text: min_length 1", 12, [1, 2, 3, 4, 5]),
        ("check n: not among the allowed values", 1, [3]),
        ("check picture: cannot be decoded", 2, [8, 9]),
        ("no group", 100, [7]),
    )
    results = by_name(example_results(checks_of(), tally))
    assert {name for name, result in results.items() if not result.passed} == {
        "text: min_length",
        "n: allowed",
        "picture: decodes",
        "examples that break a check",
    }
    assert results["text: min_length"].observed == "12 of 7,488"
    assert results["text: min_length"].offenders == tuple(f"a.jsonl row {row}" for row in range(1, 6))
    everything = results["examples that break a check"]
    assert everything.observed == "15 of 7,488"
    assert everything.offenders == tuple(f"a.jsonl row {row}" for row in (1, 2, 3, 4, 5))


@pytest.mark.parametrize(
    ("tolerance", "words"),
    [({"max_rejected": 12}, "at most 12"), ({"max_rejected_share": 0.00161}, "at most 0.161 % (12)")],
)
def test_what_is_tolerated_passes_with_its_count(tolerance: dict[str, Any], words: str) -> None:
    for count, passed in ((12, True), (13, False)):
        tally = tally_of(("check text: min_length 1", count, [1]))
        results = by_name(example_results(checks_of(**tolerance), tally))
        assert results["text: min_length"].passed is results["examples that break a check"].passed is passed
        assert results["examples that break a check"].limit == words
        assert results["text: min_length"].observed == f"{count} of 7,488"


def test_a_spec_without_checks_of_examples_has_no_results() -> None:
    assert example_results(Checks(), tally_of()) == []


def test_results_are_short_and_valid_text() -> None:
    name = "f" * 500
    checks = Checks.model_validate({"examples": {name: {"pattern": "p\n" * 500, "allowed": ["x" * 10_000]}}})
    tally = Tally(1).with_dropped(f"check {name}: null", [(0, 0, f"{'d/' * 500}\udcff.csv row 1")], 1)
    for result in example_results(checks, tally):
        for words in (result.name, result.limit, *result.offenders):
            assert len(words) < 100 and "\n" not in words
            words.encode()
    assert by_name(example_results(checks, tally))[f"{'f' * 60} ...: null"].offenders[0].endswith(r"/\udcff.csv row 1")


@pytest.mark.parametrize(
    ("tolerance", "words"),
    [
        ({}, "checks.max_rejected allows none: "),
        ({"max_rejected": 2}, "checks.max_rejected allows at most 2: "),
        ({"max_rejected_share": 0.0003}, "checks.max_rejected_share allows at most 0.03 % (2): "),
    ],
)
def test_a_preview_refuses_too_many_in_one_line(tolerance: dict[str, Any], words: str) -> None:
    spec = Spec.model_validate(
        {
            "name": "test",
            "source": {"kind": "jsonl", "paths": ["x"]},
            "partitioner": {"kind": "feature", "feature": "key"},
            "checks": {"examples": EXAMPLES, **tolerance},
        }
    )
    tally = tally_of(("check text: min_length 1", 3, [4, 9]))
    said = f"3 of 7,488 examples break a check, {words}check text: min_length 1: 3 (a.jsonl row 4, a.jsonl row 9, ...)"
    with pytest.raises(CheckError, match=re.escape(said)):
        refuse_dropped(spec, tally)
    refuse_dropped(spec, tally_of(("check text: min_length 1", spec.checks.num_tolerated(7_488), [4])))
