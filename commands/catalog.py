"""The command `groupstream catalog`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from groupstream.commands.options import Root

if TYPE_CHECKING:
    from groupstream.stores import Store


def register(app: typer.Typer) -> None:
    """Adds the command. Called through the entry point `groupstream.commands`."""
    app.command("catalog", epilog="Example: groupstream catalog --open")(catalog)


def catalog(
    root: Root = None,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Write the page there, and leave the root as it is.")
    ] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
) -> None:
    """Write one page over all versions: catalog.html in the root. Each build does that; this is for other changes.

    Prints where the page is.
    """
    from catalog import rebuild_catalog
    from groupstream.errors import UsageError
    from groupstream.refs import default_root
    from groupstream.stores import is_url, open_store

    store = open_store(root or default_root())
    if open_it and to is None and is_url(store.root):
        raise UsageError(f"a browser may not get in to {store.root}; write the page to a file first, with --to FILE")
    address = rebuild_catalog(store) if to is None else _write(store, to)
    if address is None:
        typer.echo(f"no dataset in {store.root}; build one with: groupstream build SPEC", err=True)
        return
    typer.echo(address)
    if open_it:
        typer.launch(Path(address).absolute().as_uri())


def _write(store: Store, file: Path) -> str | None:
    from catalog import read_entries, render_page
    from catalog.page import web_address
    from groupstream.disk import explaining_errors

    entries = read_entries(store)
    if not entries:
        return None
    with explaining_errors(file.parent, "choose another file with --to"):
        file.write_bytes(render_page(entries, store.root, f"{web_address(store.root)}/").encode())
    return str(file)
