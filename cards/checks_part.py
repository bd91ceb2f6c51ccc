"""The results of checks, by what they are of, the failed ones first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cards.room import fitting
from cards.text import format_count, format_number_of, visible_line
from groupstream.manifest import CheckResult

_KINDS = {
    "examples": "of examples",
    "groups": "of groups",
    "drift": "against an earlier version",
    "files": "of files",
}
_FAILED_BYTES, _KIND_BYTES = 150_000, 50_000


@dataclass(frozen=True)
class CheckRow:
    """One check, its texts safe to look at."""

    name: str
    limit: str
    observed: str
    passed: bool
    offenders: Sequence[str]


@dataclass(frozen=True)
class CheckKind:
    """The checks of one kind."""

    title: str
    summary: str
    rows: Sequence[CheckRow]
    more: str


@dataclass(frozen=True)
class CheckPart:
    """All checks.

    Attributes:
        summary: one line, such as "23 checks passed".
        num_failed: how many did not pass.
        failed: those, of every kind.
        more: how many failed ones are not shown, in words.
        kinds: all of them by kind, kinds with failed checks first.
    """

    summary: str
    num_failed: int
    failed: Sequence[CheckRow]
    more: str
    kinds: Sequence[CheckKind]


def check_part(checks: Sequence[CheckResult]) -> CheckPart:
    """What the card says about checks."""
    failed = [check for check in checks if not check.passed]
    shown = fitting(map(_row, failed), len(failed), _texts, _FAILED_BYTES)
    kinds = sorted(_KINDS, key=lambda kind: not any(check.kind == kind for check in failed))
    return CheckPart(
        _summary(checks), len(failed), shown.shown, shown.more("failed check"), list(_kinds(checks, kinds))
    )


def _summary(checks: Sequence[CheckResult]) -> str:
    failed = sum(not check.passed for check in checks)
    if failed:
        return f"{format_count(failed)} of {format_number_of(len(checks), 'check')} failed"
    return f"{format_number_of(len(checks), 'check')} passed" if checks else "no checks"


def _kinds(checks: Sequence[CheckResult], kinds: Sequence[str]) -> Iterator[CheckKind]:
    for kind in kinds:
        mine = sorted((check for check in checks if check.kind == kind), key=lambda check: check.passed)
        if mine:
            shown = fitting(map(_row, mine), len(mine), _texts, _KIND_BYTES)
            yield CheckKind(_KINDS[kind], _summary(mine), shown.shown, shown.more("check"))


def _row(check: CheckResult) -> CheckRow:
    return CheckRow(
        name=visible_line(check.name),
        limit=visible_line(check.limit),
        observed=visible_line(check.observed),
        passed=check.passed,
        offenders=[visible_line(offender) for offender in check.offenders[:5]],
    )


def _texts(row: CheckRow) -> Iterator[str]:
    yield from (row.name, row.limit, row.observed, " " * 300)
    yield from (offender + " " * 30 for offender in row.offenders)
