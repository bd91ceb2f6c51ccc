"""Where each example went: into the version, into quarantine, or left out; and what became of groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cards.room import fitting
from cards.text import format_count, format_number_of, format_share, visible_line
from groupstream.manifest import Counts

_REASONS_BYTES = 40_000
_REGROUPED = {
    "dropped": "left out, as too small or too large",
    "merged": "too small, and merged into one",
    "capped": "too large, and cut to the largest size allowed",
    "split": "too large, and divided",
}


@dataclass(frozen=True)
class CountRow:
    """So many examples. `percent` is of those that were read, for a bar."""

    name: str
    number: str
    share: str
    percent: float
    kind: str  # read, kept, rejected or dropped


@dataclass(frozen=True)
class CountPart:
    """Where examples and groups went.

    Attributes:
        rows: read, then the reasons for which examples were left out, the most frequent first, then what is kept.
        more: how many reasons are not shown, in words.
        num_rejected: examples in quarantine; they broke a check.
        regrouped: what was done to groups, in words, with the number of groups.
    """

    rows: Sequence[CountRow]
    more: str
    num_rejected: int
    regrouped: Sequence[tuple[str, str]]


def count_part(counts: Counts, rejected: frozenset[str]) -> CountPart:
    """What the card says about the counts.

    Args:
        counts: of the manifest.
        rejected: which reasons are checks of examples.
    """
    total = counts.examples_in
    reasons = sorted(counts.dropped.items(), key=lambda item: (item[0] not in rejected, -item[1], item[0]))
    rows = (_dropped_row(reason, number, total, reason in rejected) for reason, number in reasons)
    found = fitting(rows, len(reasons), lambda row: (row.name, " " * 200), _REASONS_BYTES)
    rest = sum(number for _, number in reasons[len(found.shown) :])
    return CountPart(
        rows=[
            _row("read from the source", total, total, "read"),
            *found.shown,
            _row("in this version", counts.examples_out, total, "kept"),
        ],
        more=f"{found.more('reason')}, of {format_number_of(rest, 'example')}" if found.rest else "",
        num_rejected=sum(number for reason, number in counts.dropped.items() if reason in rejected),
        regrouped=_regrouped(counts.regrouped),
    )


def _dropped_row(reason: str, number: int, total: int, is_rejected: bool) -> CountRow:
    what, kind = ("in quarantine", "rejected") if is_rejected else ("left out", "dropped")
    return _row(f"{what}: {visible_line(reason)}", number, total, kind)


def _row(name: str, number: int, total: int, kind: str) -> CountRow:
    percent = round(100 * number / total, 3) if total else 0.0
    return CountRow(name, format_count(number), format_share(number, total), percent, kind)


def _regrouped(regrouped: Mapping[str, int]) -> list[tuple[str, str]]:
    some = sorted(regrouped.items())[:20]
    return [(_REGROUPED.get(what, visible_line(what, 100)), format_count(number)) for what, number in some if number]
