"""The command `groupstream tag`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from commands.options import Alias, DryRun
from groupstream.commands.options import Json, Ref, Root
from groupstream.commands.printing import to_json, visible

if TYPE_CHECKING:
    from lifecycle.tagging import AliasChange


def register(app: typer.Typer) -> None:
    """Adds the command. Called through the entry point `groupstream.commands`."""
    app.command("tag", epilog="Example: groupstream tag news@candidate stable")(tag)


def tag(ref: Ref, alias: Alias, dry_run: DryRun = False, root: Root = None, json: Json = False) -> None:
    """Lead an alias to a version, from whatever version it led to before.

    Whoever reads NAME@ALIAS reads this version from now on. `latest` moves by itself to each newer number; it may be
    moved back like any other.
    """
    from commands.registry_of import registry_of
    from lifecycle.changing import find_published
    from lifecycle.tagging import set_alias

    published = find_published(ref, root)
    with registry_of(published.store.root, dry_run) as registry:
        print_alias_change(set_alias(published, registry, alias, dry_run=dry_run), dry_run, json)


def print_alias_change(change: AliasChange, dry_run: bool, json: bool) -> None:
    """One line: where the alias led before, and where it leads now."""
    if json:
        fields: dict[str, Any] = {**change._asdict(), "dry_run": dry_run}
        typer.echo(to_json(fields))
        return
    before, after = change.before or "none", change.after or "none"
    moved = f"{after}, as before" if before == after else f"{before} -> {after}"
    typer.echo(visible(f"{change.name}@{change.alias}: {moved}{' (dry run: nothing was written)' if dry_run else ''}"))
