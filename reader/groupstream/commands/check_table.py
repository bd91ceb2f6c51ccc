"""Results of checks on a terminal: one table for all commands that show some."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from groupstream.commands.printing import one_line

if TYPE_CHECKING:
    from rich.console import Console

    from groupstream.manifest import CheckResult


def print_checks(console: Console, results: Sequence[CheckResult]) -> None:
    """Prints a row a check, the failed ones first, and below each what broke it."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("", "check", "limit", "observed"):
        table.add_column(column, overflow="fold")
    for result in sorted(results, key=lambda result: result.passed):
        mark = Text("✓", "green") if result.passed else Text("✗ failed", "bold red")
        name, limit, observed = (one_line(text) for text in (result.name, result.limit, result.observed))
        table.add_row(mark, Text(f"{result.kind}: {name}"), Text(limit), Text(observed))
        for offender in result.offenders:
            table.add_row("", Text(f"  {one_line(offender)}", "dim"))
    console.print(table)


def summary(results: Sequence[CheckResult]) -> str:
    """How many passed.

    >>> summary([])
    'no checks'
    """
    failed = sum(not result.passed for result in results)
    if not results:
        return "no checks"
    return f"{failed} of {len(results)} checks failed" if failed else f"all {len(results)} checks passed"


def as_dicts(results: Sequence[CheckResult]) -> list[dict[str, Any]]:
    """The same for JSON."""
    return [result.model_dump(mode="json") for result in results]
