"""The command `groupstream history`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from commands.options import DatasetName
from groupstream.commands.options import Json, Root
from groupstream.commands.printing import one_line, to_json

if TYPE_CHECKING:
    from lifecycle.history import Event


def register(app: typer.Typer) -> None:
    """Adds the command. Called through the entry point `groupstream.commands`."""
    app.command("history", epilog="Example: groupstream history news --limit 20")(history)


def history(
    name: DatasetName,
    limit: Annotated[int, typer.Option(min=1, help="How many of the newest events to show.")] = 50,
    root: Root = None,
    json: Json = False,
) -> None:
    """Show when versions were published, deprecated and deleted, and how aliases moved; the newest first."""
    from commands.registry_of import readable_registry_of
    from groupstream.refs import default_root
    from groupstream.stores import open_store
    from lifecycle.history import history_of

    store = open_store(root or default_root())
    with readable_registry_of(store.root) as registry:
        events = history_of(store, registry, name)
    if json:
        typer.echo(to_json([{**asdict(event), "at": event.at.isoformat()} for event in events[:limit]], indent=2))
        return
    _print_table(events[:limit])
    if len(events) > limit:
        typer.echo(f"{len(events) - limit:,} older ones; see them with: --limit {len(events)}", err=True)


def _print_table(events: list[Event]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("at (UTC)", "what", "by", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for event in events:
        who = f"run {event.run}" if event.run else event.by
        cells = (f"{event.at:%Y-%m-%d %H:%M:%S}", _in_words(event), who)
        table.add_row(*(Text(one_line(cell), overflow="fold") for cell in cells))
    Console().print(table)


def _in_words(event: Event) -> str:
    if event.kind == "alias":
        return f"{event.alias}: {event.before or 'none'} -> {event.version or 'none'}"
    words = "not deprecated any more" if event.kind == "restored" else event.kind
    return f"{event.version} {words}{f': {event.message}' if event.message else ''}"
