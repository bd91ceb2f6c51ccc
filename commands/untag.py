"""The command `groupstream untag`."""

from __future__ import annotations

import typer

from commands.options import Alias, DatasetName, DryRun
from groupstream.commands.options import Json, Root


def register(app: typer.Typer) -> None:
    """Adds the command. Called through the entry point `groupstream.commands`."""
    app.command("untag", epilog="Example: groupstream untag news candidate")(untag)


def untag(name: DatasetName, alias: Alias, dry_run: DryRun = False, root: Root = None, json: Json = False) -> None:
    """Remove an alias. The version that it led to stays as it is."""
    from commands.registry_of import registry_of
    from commands.tag import print_alias_change
    from groupstream.refs import default_root
    from groupstream.stores import open_store
    from lifecycle.tagging import remove_alias

    store = open_store(root or default_root())
    with registry_of(store.root, dry_run) as registry:
        print_alias_change(remove_alias(store, registry, name, alias, dry_run=dry_run), dry_run, json)
