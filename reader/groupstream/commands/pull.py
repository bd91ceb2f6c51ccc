"""The command `groupstream pull`."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from groupstream.commands.completion import complete_split
from groupstream.commands.options import Json, Ref, Root, typed_id
from groupstream.commands.printing import progress_bar, to_json, visible

if TYPE_CHECKING:
    from groupstream.pulling.files import Pull
    from groupstream.pulling.groups import GroupsPull


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("pull", epilog="Example: groupstream pull stdlib@latest --split train")(pull)


def pull(
    ref: Ref,
    split: Annotated[
        list[str] | None,
        typer.Option(help="Only this split; may be given several times.", autocompletion=complete_split),
    ] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(help="Only this group, as a small version of its own; may be given several times."),
    ] = None,
    groups_file: Annotated[
        Path | None, typer.Option(help="A file with the ids of such groups, one a line.", dir_okay=False, exists=True)
    ] = None,
    to: Annotated[
        str | None, typer.Option(help="The folder that gets <name>/<version>. Default: one in the cache.")
    ] = None,
    arrow: Annotated[
        bool,
        typer.Option("--arrow", help="Also decode it once, to Arrow files in the cache that are mapped into memory."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would come, and write nothing.")] = False,
    root: Root = None,
    json: Json = False,
) -> None:
    """Bring a version, or some of it, to this machine; what is there already is not read again."""
    from groupstream.pulling.version import bring, is_here, plan
    from groupstream.refs import resolve

    location = resolve(ref, root)
    ids = None if group is None and groups_file is None else [*map(typed_id, group or ()), *_lines(groups_file)]
    planned = plan(location, split, ids, to)
    is_decoded_only = arrow and is_here(location, ids, to)
    folder = str(location if is_decoded_only else planned.folder)
    missing = 0 if is_decoded_only else planned.missing_bytes()
    if not dry_run and not is_decoded_only:
        with _saying_how_to_go_on(), progress_bar("Pulling", missing, in_bytes=True) as on_bytes:
            bring(planned, on_bytes)
    if not dry_run and arrow:
        _make_arrow_copy(folder, planned.splits)
    if json:
        typer.echo(to_json({**_described(planned, folder, missing), "dry_run": dry_run}))
    elif dry_run:
        typer.echo(visible(f"{_counted(planned, missing)} would come to {folder}; nothing was written"))
    else:
        typer.echo(visible(_sentences(planned, folder, missing, arrow)))


@contextlib.contextmanager
def _saying_how_to_go_on() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("interrupted: the same command goes on; no file is there that is not whole", err=True)
        raise


def _make_arrow_copy(folder: str, splits: Iterable[str]) -> None:
    from groupstream.arrow_copy import plan_arrow_copy
    from groupstream.dataset import open_dataset

    planned = plan_arrow_copy(open_dataset(folder), splits)
    with progress_bar("Decoding", planned.source_bytes, in_bytes=True) as on_bytes:
        planned.run(on_bytes)


def _described(planned: Pull | GroupsPull, folder: str, missing: int) -> dict[str, Any]:
    return {
        "ref": planned.manifest.ref,
        "splits": list(planned.splits),
        "folder": folder,
        "bytes": planned.size_bytes,
        "downloaded_bytes": missing,
    }


def _counted(planned: Pull | GroupsPull, missing: int) -> str:
    return f"{planned.manifest.ref} ({', '.join(planned.splits)}): {missing:,} of {planned.size_bytes:,} bytes"


def _sentences(planned: Pull | GroupsPull, folder: str, missing: int, arrow: bool) -> str:
    came = f"{missing:,} of {planned.size_bytes:,} bytes came now and were checked" if missing else "all was there"
    lines = [f"{planned.manifest.ref} ({', '.join(planned.splits)}) is in {folder}: {came}"]
    lines += [f"Read its Arrow copy with: groupstream.open({folder!r}, arrow=True)"] if arrow else []
    return "\n".join([*lines, f"Look at it with: groupstream head {shlex.quote(folder)}"])


def _lines(file: Path | None) -> list[bytes]:
    """The lines that are not empty. An id is what a line holds, whatever bytes these are."""
    lines = file.read_bytes().split(b"\n") if file else ()
    return [line.removesuffix(b"\r") for line in lines if line.strip(b"\r")]
