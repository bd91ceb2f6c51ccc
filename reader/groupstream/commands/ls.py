"""The command `groupstream ls`."""

from __future__ import annotations

from collections.abc import Iterator
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
    from groupstream.errors import RefNotFoundError
    from groupstream.layout import is_name
    from groupstream.refs import default_root
    from groupstream.stores import open_store

    store = open_store(root or default_root())
    names = [n for n in store.folders("") if is_name(n)]
    found = [one for n in names if name in (None, n) for one in _of_dataset(store, n)]
    if name is not None and not found:
        raise RefNotFoundError(f"no dataset {name!r} in {store.root}; there are: {', '.join(names) or 'none'}")
    return [one for one in found if isinstance(one, dict)], [one for one in found if not isinstance(one, dict)]


def _of_dataset(store: Store, name: str) -> Iterator[dict[str, Any] | GroupstreamError]:
    """A row, or what is wrong, for each version."""
    from groupstream.dataset import open_dataset
    from groupstream.errors import CorruptError, StoreError
    from groupstream.refs import published_versions

    try:
        versions = published_versions(store, name)
    except StoreError as error:
        yield error
        return
    for ref in (f"{name}@{version}" for version in versions):
        try:
            splits = open_dataset(ref, store.root).manifest.splits.values()
        except (CorruptError, StoreError) as error:
            yield error
        else:
            yield {"ref": ref, **{n: sum(getattr(s.statistics, f"num_{n}") for s in splits) for n in _COLUMNS}}
