"""The command `groupstream diff`."""

from __future__ import annotations

from typing import Annotated

import typer

from groupstream.commands.completion import complete_ref
from groupstream.commands.options import REF_HELP, Json, Root
from groupstream.commands.printing import progress_bar, to_json


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("diff", epilog="Example: groupstream diff stdlib@1.0.0 stdlib@latest")(diff)


def diff(
    before: Annotated[str, typer.Argument(metavar="REF", help=REF_HELP, autocompletion=complete_ref)],
    after: Annotated[
        str, typer.Argument(metavar="REF", help="Another one to compare it with.", autocompletion=complete_ref)
    ],
    exit_code: Annotated[bool, typer.Option("--exit-code", help="End with 1 where they differ.")] = False,
    largest: Annotated[int, typer.Option(min=0, help="How many of the largest changes to show.")] = 5,
    root: Root = None,
    json: Json = False,
) -> None:
    """Show what differs between two versions: features, settings, sizes, groups, labels. Reads the indexes only."""
    from groupstream.dataset import open_dataset
    from groupstream.version_differences import version_differences

    old, new = open_dataset(before, root), open_dataset(after, root)
    in_both = [name for name in old if name in new]
    total = sum(old[name].num_groups + new[name].num_groups for name in in_both)
    with progress_bar("Reading the indexes", total) as advance:
        found = version_differences(old, new, largest, advance)
    if json:
        typer.echo(to_json(found, indent=2))
    else:
        from groupstream.commands.diff_tables import print_differences

        print_differences(found)
    if exit_code and found["differ"]:
        raise typer.Exit(1)
