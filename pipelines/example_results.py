"""What the checks of examples found, as results of the build."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from groupstream.manifest import CheckResult
from pipelines.tally import CHECK_PREFIX, MAX_OFFENDERS, Tally
from validation import Checks, ExampleCheck
from validation.example_rules import Rule, rules_of

_NAME_CHARACTERS = 60
_PLACE_CHARACTERS = 80


def example_results(checks: Checks, tally: Tally) -> list[CheckResult]:
    """One result for each rule of each feature, in the order of the spec, and one for all of them.

    Up to the number that is tolerated all pass, and their counts tell; beyond it, those fail that were broken.

    Args:
        tally: of the build, which counts each example under the first rule that it breaks.
    """
    if not checks.examples:
        return []
    broken = {reason: count for reason, count in tally.dropped.items() if reason.startswith(CHECK_PREFIX)}
    is_tolerated = sum(broken.values()) <= checks.num_tolerated(tally.examples_in)
    results = (_of_feature(name, check, tally, is_tolerated) for name, check in checks.examples.items())
    return [*chain.from_iterable(results), _of_all(checks, tally, broken, is_tolerated)]


def tolerance_in_words(checks: Checks, num_examples: int) -> str:
    """How many examples may break a check.

    >>> [tolerance_in_words(c, 7_488) for c in (Checks(), Checks(max_rejected=10), Checks(max_rejected_share=0.001))]
    ['none', 'at most 10', 'at most 0.1 % (7)']
    """
    tolerated = checks.num_tolerated(num_examples)
    if checks.max_rejected_share is not None:
        return f"at most {checks.max_rejected_share * 100:g} % ({tolerated:,})"
    return f"at most {tolerated:,}" if tolerated else "none"


def _of_feature(name: str, check: ExampleCheck, tally: Tally, is_tolerated: bool) -> Iterator[CheckResult]:
    for fixed in ("dtype", "shape"):
        if (asked := getattr(check, fixed)) is not None:  # refused before anything was read, where it does not hold
            words = asked if isinstance(asked, str) else str(list(asked))
            yield _result(name, fixed, words, observed=words, passed=True)
    for rule in rules_of(check):
        yield _of_rule(name, rule, tally, is_tolerated)


def _of_rule(name: str, rule: Rule, tally: Tally, is_tolerated: bool) -> CheckResult:
    reason = f"{CHECK_PREFIX}{name}: {rule.reason}"
    count = tally.dropped[reason]
    places = [words for *_, words in tally.offenders.get(reason, [])]
    observed = f"{count:,} of {tally.examples_in:,}"
    return _result(name, rule.name, rule.limit_in_words, observed, is_tolerated or not count, places)


def _of_all(checks: Checks, tally: Tally, broken: dict[str, int], is_tolerated: bool) -> CheckResult:
    places = sorted({place for reason in broken for place in tally.offenders.get(reason, [])})
    return CheckResult(
        kind="examples",
        name="examples that break a check",
        limit=tolerance_in_words(checks, tally.examples_in),
        observed=f"{sum(broken.values()):,} of {tally.examples_in:,}",
        passed=is_tolerated,
        offenders=_shown([words for *_, words in places]),
    )


def _result(
    feature: str, rule: str, limit: str, observed: str, passed: bool, places: list[str] | None = None
) -> CheckResult:
    name = _plain(feature)
    name = name if len(name) <= _NAME_CHARACTERS else f"{name[:_NAME_CHARACTERS]} ..."
    return CheckResult(
        kind="examples",
        name=f"{name}: {rule}",
        limit=limit,
        observed=observed,
        passed=passed,
        offenders=_shown(places or []),
    )


def _shown(places: list[str]) -> tuple[str, ...]:
    """The end of a place tells most: the file and the row."""
    plain = map(_plain, places[:MAX_OFFENDERS])
    return tuple(place if len(place) <= _PLACE_CHARACTERS else f"... {place[-_PLACE_CHARACTERS:]}" for place in plain)


def _plain(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()
