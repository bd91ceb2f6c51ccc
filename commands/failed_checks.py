"""What a build that failed its checks says before its one line of error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.text import Text

from groupstream import CheckError
from groupstream.commands.check_table import as_dicts, print_checks, summary
from groupstream.commands.printing import to_json


@contextmanager
def showing_failed_checks(console: Console, json: bool) -> Iterator[None]:
    """Shows the results that a `CheckError` from the block carries, and lets it pass.

    Args:
        json: print all results to standard output as JSON; else the failed ones are shown on the console.
    """
    try:
        yield
    except CheckError as error:
        if json:
            typer.echo(to_json({"report": error.report, "checks": as_dicts(error.results)}, indent=2))
        else:
            console.print(Text(summary(error.results), "bold"))
            print_checks(console, [result for result in error.results if not result.passed])
        raise
