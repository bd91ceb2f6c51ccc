"""The command `groupstream delete`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from commands.asking import Yes, ask
from commands.options import DryRun
from groupstream.commands.options import Json, Ref, Root
from groupstream.commands.printing import format_bytes, one_line, to_json

if TYPE_CHECKING:
    from groupstream.stores import Store
    from lifecycle.deletion import Deletion


def register(app: typer.Typer) -> None:
    """Adds the command. Called through the entry point `groupstream.commands`."""
    example = "Example: groupstream delete news@1.2.0 --reason 'an author asked for it'"
    app.command("delete", epilog=example)(delete)


def delete(
    ref: Ref,
    reason: Annotated[str, typer.Option("--reason", "-m", help="Why, for whoever looks for it later.")],
    now: Annotated[
        bool, typer.Option("--now", help="Remove its files at once, also from under those who read them.")
    ] = False,
    last: Annotated[bool, typer.Option("--last", help="Also if it is the last version that can be read.")] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    root: Root = None,
    json: Json = False,
) -> None:
    """Delete a version: from now on it cannot be opened, and its number stays taken.

    Its files stay for 24 hours, for those who read them this moment; then `groupstream gc` removes them. A version that
    an alias leads to is not deleted.
    """
    from datetime import timedelta

    from commands.registry_of import registry_of
    from lifecycle.deletion import GRACE, delete_version, plan_deletion

    named, grace = _named(ref, root), timedelta(0) if now else GRACE
    store, name, version = named
    planned = plan_deletion(store, name, version, reason, grace=grace, allow_last=last)
    if dry_run:
        _print(planned, json, dry_run=True)
        return
    typer.echo(_line(planned, dry_run=True), err=True)
    ask(f"Delete {planned.ref}?", yes)
    with registry_of(store.root) as registry:
        done = delete_version(store, registry, name, version, reason, grace=grace, allow_last=last)
    _print(done, json, dry_run=False)


class _Named(NamedTuple):
    store: Store
    name: str
    version: str


def _named(ref: str, root: str | None) -> _Named:
    """The version, which need not be one that can be opened: a deletion may go on, and what is lost may be deleted.

    Raises:
        UsageError: it names no version, only a dataset.
    """
    from groupstream.errors import UsageError
    from groupstream.layout import is_name, is_version
    from groupstream.refs import default_root
    from groupstream.stores import open_store
    from lifecycle.changing import find_published

    name, _, version = ref.partition("@")
    if is_name(name) and is_version(version):
        return _Named(open_store(root or default_root()), name, version)
    if is_name(ref):
        raise UsageError(f"{ref} is a dataset; name the version to delete, such as {ref}@1.0.0")
    published = find_published(ref, root)
    return _Named(published.store, published.name, published.version)


def _print(deletion: Deletion, json: bool, *, dry_run: bool) -> None:
    if not json:
        typer.echo(_line(deletion, dry_run=dry_run))
        return
    fields = {
        "ref": deletion.ref,
        **deletion.tombstone.model_dump(mode="json"),
        "files_go_at": deletion.files_go_at.isoformat(timespec="seconds"),
        "bytes": deletion.num_bytes,
        "freed_bytes": deletion.freed_bytes,
        "dry_run": dry_run,
    }
    typer.echo(to_json(fields))


def _line(deletion: Deletion, *, dry_run: bool) -> str:
    size, said = format_bytes(deletion.num_bytes), one_line(deletion.tombstone.reason)
    if deletion.freed_bytes:
        return f"{deletion.ref} is deleted, {format_bytes(deletion.freed_bytes)} are freed ({said})"
    goes = f"from {deletion.files_go_at.isoformat(sep=' ', timespec='minutes')} on its {size} go with: groupstream gc"
    if not deletion.num_bytes:
        goes = "none of its files are left"
    return f"{deletion.ref} {'would be' if dry_run else 'is'} deleted ({said}); {goes}"
