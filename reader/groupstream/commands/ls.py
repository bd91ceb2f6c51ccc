"""The command `groupstream ls`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from groupstream.commands.completion import complete_name
from groupstream.commands.options import Json, Root
from groupstream.commands.printing import format_bytes


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("ls", epilog="Example: groupstream ls stdlib")(ls)


def ls(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="One dataset; default all.", autocompletion=complete_name)
    ] = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """List the published versions."""
    import json as json_module

    rows = list_versions(root, name)
    if json:
        typer.echo(json_module.dumps(rows, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    from groupstream.refs import default_root

    if not rows:
        typer.echo(f"no dataset in {root or default_root()}; build one with: groupstream build SPEC", err=True)
        return
    table = Table("version", *(n for n in ("groups", "examples", "bytes", "words")), box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        numbers = (
            format_bytes(row[n]) if n == "bytes" else f"{row[n]:,}" for n in ("groups", "examples", "bytes", "words")
        )
        table.add_row(row["ref"], *numbers)
    Console().print(table)


def list_versions(root: str | None, name: str | None) -> list[dict[str, Any]]:
    """One row a version, by name, then by number."""
    from groupstream.dataset import open_dataset
    from groupstream.errors import RefNotFoundError
    from groupstream.layout import is_name
    from groupstream.refs import default_root, published_versions
    from groupstream.stores import open_store

    store = open_store(root or default_root())
    names = [n for n in store.folders("") if is_name(n)]
    if name is not None and not published_versions(store, name):
        raise RefNotFoundError(f"no dataset {name!r} in {store.root}; there are: {', '.join(names) or 'none'}")
    rows = []
    for dataset in [name] if name is not None else names:
        for version in published_versions(store, dataset):
            splits = open_dataset(f"{dataset}@{version}", store.root).manifest.splits.values()
            totals = {
                n: sum(getattr(s.statistics, f"num_{n}") for s in splits)
                for n in ("groups", "examples", "bytes", "words")
            }
            rows.append({"ref": f"{dataset}@{version}", **totals})
    return rows
