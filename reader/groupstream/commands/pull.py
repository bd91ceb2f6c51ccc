"""The command `groupstream pull`."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from groupstream.commands.completion import complete_split
from groupstream.commands.options import Json, Ref, Root
from groupstream.commands.printing import visible


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
    root: Root = None,
    json: Json = False,
) -> None:
    """Bring a version, or some of it, to this machine; what is there already is not read again."""
    import json as json_module

    from groupstream.pulling.files import Pull
    from groupstream.pulling.groups import GroupsPull, plan_groups
    from groupstream.pulling.version import is_here, plan_pull
    from groupstream.refs import resolve

    location = resolve(ref, root)
    group_ids = [*(name.encode() for name in group or []), *(_lines(groups_file) if groups_file else [])]
    planned: Pull | GroupsPull = (
        plan_pull(location, split, to)
        if group is None and groups_file is None
        else plan_groups(location, group_ids, split, to)
    )
    folder = str(planned.folder)
    if arrow and is_here(location, group_ids or None, to):
        missing, folder = 0, str(location)
    else:
        missing = planned.missing_bytes()
        with _bar("Pulling", missing) as on_bytes:
            planned.run(on_bytes)
    if arrow:
        _make_arrow_copy(folder, planned.splits)
    result = {
        "ref": planned.manifest.ref,
        "splits": list(planned.splits),
        "folder": folder,
        "root": str(planned.root),
        "bytes": planned.size_bytes,
        "downloaded_bytes": missing,
    }
    if json:
        typer.echo(json_module.dumps(result))
        return
    came = f"{missing:,} of {planned.size_bytes:,} bytes came now and were checked" if missing else "all was there"
    typer.echo(visible(f"{planned.manifest.ref} ({', '.join(planned.splits)}) is in {folder}: {came}"))
    if arrow:
        typer.echo(visible(f"Read its Arrow copy with: groupstream.open({folder!r}, arrow=True)"))
    typer.echo(visible(f"Look at it with: groupstream head {shlex.quote(folder)}"))


def _make_arrow_copy(folder: str, splits: Iterable[str]) -> None:
    from groupstream.arrow_copy import plan_arrow_copy
    from groupstream.dataset import open_dataset

    planned = plan_arrow_copy(open_dataset(folder), splits)
    with _bar("Decoding", planned.source_bytes) as on_bytes:
        planned.run(on_bytes)


def _lines(file: Path) -> list[bytes]:
    """The lines that are not empty. An id is what a line holds, whatever bytes these are."""
    return [line.removesuffix(b"\r") for line in file.read_bytes().split(b"\n") if line.strip(b"\r")]


@contextlib.contextmanager
def _bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr with bytes and speed, where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = TextColumn(what), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda count: progress.advance(task, count)
