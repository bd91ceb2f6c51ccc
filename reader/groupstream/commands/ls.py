"""The command `groupstream ls`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from groupstream.commands.completion import complete_name
from groupstream.commands.options import Json, Root
from groupstream.commands.printing import cut, format_bytes, one_line, to_json

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from groupstream.catalog.listing import ListedVersion
    from groupstream.stores import Store

Row = dict[str, Any]

_FIGURES = ("groups", "examples", "bytes", "words")
_MESSAGE_CHARACTERS = 60
_MOST_REF_CHARACTERS = 40  # of a ref that is not broken into lines
_DATASETS = 16  # that are looked at at once
_MANIFESTS = 32  # that are read at once, of versions that no catalog has


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("ls", epilog="Example: groupstream ls stdlib")(ls)


def ls(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="One dataset; default all.", autocompletion=complete_name)
    ] = None,
    deleted: Annotated[bool, typer.Option("--all", help="Those that are deleted, too.")] = False,
    root: Root = None,
    json: Json = False,
) -> None:
    """List the versions with their aliases."""
    from groupstream.refs import default_root

    found, errors = list_versions(root, name)
    rows = [row for row in found if deleted or row["state"] != "deleted"]
    if json:
        typer.echo(to_json(rows, indent=2))
    elif rows:
        _print_table(rows)
    elif found:
        typer.echo("all versions are deleted; see them with: groupstream ls --all", err=True)
    elif not errors:
        typer.echo(f"no dataset in {root or default_root()}; build one with: groupstream build SPEC", err=True)
    for error in errors:
        typer.echo(f"error: {one_line(str(error))}", err=True)
    if errors:
        raise typer.Exit(1)


def _print_table(rows: list[Row]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    has_states = any(row["state"] != "published" for row in rows)
    table = Table(box=None, pad_edge=False)
    table.add_column("version", min_width=min(_MOST_REF_CHARACTERS, max(len(row["ref"]) for row in rows)))
    table.add_column("aliases")
    table.add_column("published", no_wrap=True)
    for figure in _FIGURES:
        table.add_column(figure, justify="right", no_wrap=True)
    if has_states:
        table.add_column("state")
    for row in rows:
        state = [_state(row)] if has_states else []
        numbers = (format_bytes(row[n]) if n == "bytes" else f"{row[n]:,}" for n in _FIGURES)
        cells = (row["ref"], ", ".join(row["aliases"]), (row["published_at"] or "")[:10], *numbers, *state)
        table.add_row(*(Text(cell, overflow="fold") for cell in cells))
    Console().print(table)


def _state(row: Row) -> str:
    message = cut(one_line(row["message"]), _MESSAGE_CHARACTERS)
    return f"{row['state']}: {message}" if message else "" if row["state"] == "published" else row["state"]


def list_versions(root: str | None, name: str | None) -> tuple[list[Row], list[Exception]]:
    """One row a version, by name, then by number; and what is wrong with those that cannot be read.

    One request for the names, two a dataset: for its catalog, and for the folders that this may lack.
    """
    from concurrent.futures import ThreadPoolExecutor

    from groupstream.refs import default_root
    from groupstream.stores import open_store

    store = open_store(root or default_root())
    names = _names(store, name)
    with ThreadPoolExecutor(_DATASETS) as datasets, ThreadPoolExecutor(_MANIFESTS) as manifests:
        found = [one for rows in datasets.map(lambda n: list(_of_dataset(store, n, manifests)), names) for one in rows]
    rows = [one for one in found if isinstance(one, dict)]
    if name is not None and not rows:
        _require_dataset(store, name, bool(found))
    return rows, [one for one in found if not isinstance(one, dict)]


def _names(store: Store, name: str | None) -> Iterable[str]:
    from groupstream.catalog import dataset_names
    from groupstream.layout import is_name

    if name is None:
        return dataset_names(store)
    return [name] if is_name(name) else []


def _require_dataset(store: Store, name: str, has_versions: bool) -> None:
    from groupstream.catalog import dataset_names
    from groupstream.errors import RefNotFoundError

    names = dataset_names(store)
    if name not in names:
        raise RefNotFoundError(f"no dataset {name!r} in {store.root}; there are: {', '.join(names) or 'none'}")
    if not has_versions:
        raise RefNotFoundError(f"nothing is published of {name} in {store.root}; build it with: groupstream build SPEC")


def _of_dataset(store: Store, name: str, manifests: Executor) -> Iterator[Row | Exception]:
    """A row, or what is wrong, for each version."""
    from groupstream.catalog.listing import UnreadableVersion, all_versions, overview

    for one in all_versions(store, name, overview(store, name), manifests):
        yield one.error if isinstance(one, UnreadableVersion) else _row(name, one)


def _row(name: str, listed: ListedVersion) -> Row:
    version = listed.described
    return {
        "ref": f"{name}@{version.version}",
        "aliases": list(listed.aliases),
        "state": version.state,
        "message": version.message,
        "published_at": listed.published_at and listed.published_at.isoformat(timespec="seconds"),
        **{n: sum(getattr(s, f"num_{n}") for s in version.splits.values()) for n in _FIGURES},
    }
