"""The command `groupstream catalog`."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Adds the command. Called through the entry point `groupstream.commands`."""
