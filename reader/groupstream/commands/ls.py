"""The command `groupstream ls`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from groupstream.commands.completion import complete_name
from groupstream.commands.options import Json, Root
from groupstream.commands.printing import format_bytes, one_line, to_json

if TYPE_CHECKING:
    from groupstream.errors import GroupstreamError
    from groupstream.stores import Store

_COLUMNS = ("groups", "examples", "bytes", "words")


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
    from groupstream.refs import default_root

    rows, errors = list_versions(root, name)
    if json:
        typer.echo(to_json(rows, indent=2))
    elif rows:
        _print_table(rows)
    elif not errors:
        typer.echo(f"no dataset in {root or default_root()}; build one with: groupstream build SPEC", err=True)
    for error in errors:
        typer.echo(f"error: {one_line(str(error))}", err=True)
    if errors:
        raise typer.Exit(1)


def _print_table(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("version", *_COLUMNS, box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        numbers = (format_bytes(row[n]) if n == "bytes" else f"{row[n]:,}" for n in _COLUMNS)
        table.add_row(row["ref"], *numbers)
    Console().print(table)


def list_versions(root: str | None, name: str | None) -> tuple[list[dict[str, Any]], list[GroupstreamError]]:
    """One row a version, by name, then by number; and what is wrong with those that cannot be read."""
    from groupstream.dataset import open_dataset
    from groupstream.errors import CorruptError
    from groupstream.refs import default_root
    from groupstream.stores import open_store

    store = open_store(root or default_root())
    rows: list[dict[str, Any]] = []
    errors: list[GroupstreamError] = []
    for ref in _refs(store, name):
        try:
            splits = open_dataset(ref, store.root).manifest.splits.values()
        except CorruptError as error:
            errors.append(error)
        else:
            totals = {n: sum(getattr(s.statistics, f"num_{n}") for s in splits) for n in _COLUMNS}
            rows.append({"ref": ref, **totals})
    return rows, errors


def _refs(store: Store, name: str | None) -> list[str]:
    from groupstream.errors import RefNotFoundError
    from groupstream.layout import is_name
    from groupstream.refs import published_versions

    names = [n for n in store.folders("") if is_name(n)]
    refs = [f"{n}@{v}" for n in names if name in (None, n) for v in published_versions(store, n)]
    if name is not None and not refs:
        raise RefNotFoundError(f"no dataset {name!r} in {store.root}; there are: {', '.join(names) or 'none'}")
    return refs
