"""The command `groupstream publish`."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands.options import DryRun
from groupstream.commands.options import Json, Ref, Root
from groupstream.commands.printing import counted, format_bytes, progress_bar, to_json, visible

if TYPE_CHECKING:
    from groupstream.stores import Store
    from lifecycle.changing import CatalogChange
    from lifecycle.copying import VersionCopy


def register(app: typer.Typer) -> None:
    """Adds the command. Called through the entry point `groupstream.commands`."""
    example = "Example: groupstream publish news@1.2.0 --to gs://bucket/datasets --tag candidate"
    app.command("publish", epilog=example)(publish)


def publish(
    ref: Ref,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="ROOT", help="Where to publish it. Default: $GROUPSTREAM_ROOT, or ~/groupstream."),
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option("--tag", metavar="ALIAS", help="An alias to lead to it; may be given several times."),
    ] = None,
    dry_run: DryRun = False,
    root: Root = None,
    json: Json = False,
) -> None:
    """Copy a published version to another root, under its own name and number.

    Every byte is checked on the way; what is there already is not copied again. A version that comes from elsewhere
    passes through this machine, four files at a time.
    """
    from commands.registry_of import registry_of
    from groupstream.refs import default_root, resolve
    from groupstream.stores import open_store
    from lifecycle.copying import plan_copy

    target = open_store(to or default_root())
    copy = plan_copy(resolve(ref, root), target)
    is_published = copy.is_published()
    missing = [] if is_published else copy.missing_files()
    size = sum(file.size_bytes for file in missing)
    with registry_of(target.root, dry_run) as registry:
        planned = copy.announce(None, tag or [], dry_run=True)  # an alias that cannot be is refused before the upload
        if not dry_run and not is_published:
            with _saying_how_to_go_on(), progress_bar("Publishing", size, in_bytes=True) as on_bytes:
                copy.run(registry, missing, on_bytes)
        change = planned if dry_run else copy.announce(registry, tag or [])
    if not (dry_run or is_published):
        _redraw_catalog(target)
    if json:
        typer.echo(to_json({**_fields(copy, change, is_published), "copied_bytes": size, "dry_run": dry_run}))
    else:
        typer.echo(visible("\n".join(_lines(copy, change, is_published, len(missing), size, dry_run))))


@contextlib.contextmanager
def _saying_how_to_go_on() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("interrupted: nobody sees the version yet, and the same command goes on", err=True)
        raise


def _redraw_catalog(target: Store) -> None:
    """The page of the root. The version is published without it too."""
    from catalog import rebuild_catalog
    from groupstream.errors import GroupstreamError

    try:
        rebuild_catalog(target)
    except (GroupstreamError, OSError) as error:
        typer.echo(
            visible(f"note: the page of the catalog stays as it was; groupstream catalog says: {error}"), err=True
        )


def _moves(copy: VersionCopy, change: CatalogChange) -> dict[str, str | None]:
    """Where each alias led before that leads to the version since."""
    return {
        alias: change.before.aliases.get(alias)
        for alias in change.after.aliases_of(copy.manifest.version)
        if change.before.aliases.get(alias) != copy.manifest.version
    }


def _fields(copy: VersionCopy, change: CatalogChange, is_published: bool) -> dict[str, Any]:
    return {
        "ref": copy.manifest.ref,
        "location": f"{copy.target.root}/{copy.folder}",
        "was_there": is_published,
        "aliases": change.after.aliases_of(copy.manifest.version),
        "moved": [{"alias": alias, "before": before} for alias, before in _moves(copy, change).items()],
    }


def _lines(
    copy: VersionCopy, change: CatalogChange, is_published: bool, num_files: int, size: int, dry_run: bool
) -> Iterator[str]:
    where, version = f"{copy.target.root}/{copy.folder}", copy.manifest.version
    total = len(copy.manifest.all_files())
    files = f"{num_files:,} of {counted(total, 'file')}, {format_bytes(size)}"
    if is_published:
        yield f"{copy.manifest.ref} is in {where} already, with the same manifest: nothing to copy"
    elif dry_run:
        yield f"{copy.manifest.ref} would be published in {where}: {files}"
    else:
        yield f"{copy.manifest.ref} is published in {where}: {files} came now and were checked"
    for alias, before in _moves(copy, change).items():
        yield f"{copy.manifest.name}@{alias}: {before or 'none'} -> {version}"
    if dry_run:
        yield "dry run: nothing was written"
    else:
        yield f"Look at it with: groupstream info {shlex.quote(where)}"
