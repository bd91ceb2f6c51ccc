"""Asking before something is deleted."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def ask(question: str, yes: bool) -> None:
    """Goes on where the answer is yes.

    Raises:
        UsageError: nobody is there to ask, and --yes is not given.
        Exit: the answer is no.
    """
    from groupstream.errors import UsageError

    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("nobody is at a terminal to be asked; say --yes to do it, or --dry-run to look only")
    typer.echo(f"{question} [y/N] ", nl=False, err=True)  # typer.confirm would write to stdout too
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        typer.echo("nothing was deleted", err=True)
        raise typer.Exit(1)
