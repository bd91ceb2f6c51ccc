"""The command `groupstream checks`."""

from __future__ import annotations

import typer

from groupstream.commands.options import Json, Ref, Root
from groupstream.commands.printing import to_json


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("checks", epilog="Example: groupstream checks stdlib@latest")(checks)


def checks(ref: Ref, root: Root = None, json: Json = False) -> None:
    """Show what was checked before a version was published: each limit, and what was found."""
    from groupstream.commands.check_table import as_dicts, print_checks, summary
    from groupstream.dataset import open_dataset

    manifest = open_dataset(ref, root).manifest
    if json:
        typer.echo(to_json({"ref": manifest.ref, "checks": as_dicts(manifest.checks)}, indent=2))
        return
    from rich.console import Console
    from rich.text import Text

    console = Console()
    console.print(Text(f"{manifest.ref}: {summary(manifest.checks)}", "bold"))
    print_checks(console, manifest.checks)
