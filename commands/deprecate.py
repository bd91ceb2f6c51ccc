"""The command `groupstream deprecate`."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Annotated

import typer

from commands.options import DryRun
from groupstream.commands.options import Json, Ref, Root
from groupstream.commands.printing import one_line, to_json

if TYPE_CHECKING:
    from groupstream.catalog import CatalogVersion
    from lifecycle.deprecation import StateChange


def register(app: typer.Typer) -> None:
    """Adds the command. Called through the entry point `groupstream.commands`."""
    example = "Example: groupstream deprecate news@1.2.0 --message 'half of it is from one site; use 1.3.0'"
    app.command("deprecate", epilog=example)(deprecate)


def deprecate(
    ref: Ref,
    message: Annotated[
        str | None, typer.Option("--message", "-m", help="What readers are told: why, and what to use instead.")
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take it back.")] = False,
    dry_run: DryRun = False,
    root: Root = None,
    json: Json = False,
) -> None:
    """Say that a version should not be used any more, and why. It can still be read, with that message as a warning."""
    from commands.registry_of import registry_of
    from groupstream.deprecation import DeprecatedVersionWarning
    from groupstream.errors import UsageError
    from lifecycle import deprecation
    from lifecycle.changing import find_published

    if undo == (message is not None):
        raise UsageError("give either --message, which says why, or --undo, which takes a deprecation back")
    with warnings.catch_warnings(action="ignore", category=DeprecatedVersionWarning):
        published = find_published(ref, root)
    with registry_of(published.store.root, dry_run) as registry:
        change = deprecation.deprecate(published, registry, message, dry_run=dry_run)
    if json:
        typer.echo(to_json({"ref": published.manifest.ref, **_fields(change), "dry_run": dry_run}))
        return
    typer.echo(f"{published.manifest.ref}: {_line(change)}{' (dry run: nothing was written)' if dry_run else ''}")
    if change.aliases and not undo:
        typer.echo(
            f"note: {', '.join(change.aliases)} still lead{'s' * (len(change.aliases) == 1)} to it; "
            f"move it with: groupstream tag REF {change.aliases[0]}",
            err=True,
        )


def _fields(change: StateChange) -> dict[str, object]:
    before = {"state": change.before.state, "message": change.before.message} if change.before else None
    after = {"state": change.after.state, "message": change.after.message}
    return {"before": before, "after": after, "aliases": change.aliases}


def _line(change: StateChange) -> str:
    before, after = _in_words(change.before), _in_words(change.after)
    return f"{after}, as before" if before == after else f"{before} -> {after}"


def _in_words(version: CatalogVersion | None) -> str:
    if version is None:
        return "published"
    return f"{version.state} ({one_line(version.message)})" if version.message else version.state
