"""The command `groupstream export`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from groupstream.commands.options import Json, Ref, Root, SplitName, chosen_split
from groupstream.commands.printing import counted, format_bytes, progress_bar, to_json, visible

if TYPE_CHECKING:
    from groupstream.exports import Export

FORMAT_NAMES = ("dataset-grouper", "parquet")  # those of groupstream.exports, which loads too much for --help


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("export", epilog="Example: groupstream export stdlib@latest shards --format dataset-grouper")(export)


def export(
    ref: Ref,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the files go; made if it is not there.")],
    format: Annotated[
        str, typer.Option(help=f"One of {', '.join(FORMAT_NAMES)}.", autocompletion=lambda: list(FORMAT_NAMES))
    ],
    split: SplitName = None,
    files: Annotated[
        int | None, typer.Option(min=1, help="How many files. Default: as many as the split has shards.")
    ] = None,
    min_examples: Annotated[int | None, typer.Option(min=1, help="Only groups of at least so many examples.")] = None,
    max_examples: Annotated[int | None, typer.Option(min=1, help="Only groups of at most so many examples.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be written, and write nothing.")] = False,
    root: Root = None,
    json: Json = False,
) -> None:
    """Write a split in the layout of another library."""
    from groupstream.dataset import open_dataset
    from groupstream.exports import export as write
    from groupstream.exports import plan_export

    opened = open_dataset(ref, root)
    chosen = chosen_split(opened, split)
    groups = chosen.filter(min_examples=min_examples, max_examples=max_examples)
    plan = plan_export(groups, folder, format, files)
    if not dry_run:
        with progress_bar("Writing", plan.num_bytes, in_bytes=True) as on_bytes:
            write(groups, folder, format, files, on_bytes)
    if json:
        typer.echo(to_json({"ref": opened.manifest.ref, "split": chosen.name, "dry_run": dry_run, **_described(plan)}))
    else:
        typer.echo(visible(_sentence(plan, folder, dry_run)))


def _described(plan: Export) -> dict[str, Any]:
    return {
        "format": plan.format,
        "files": [str(path) for path in (*plan.files, *plan.side_files)],
        "groups": plan.num_groups,
        "examples": plan.num_examples,
        "bytes": plan.num_bytes,
    }


def _sentence(plan: Export, folder: Path, dry_run: bool) -> str:
    groups, examples = counted(plan.num_groups, "group"), counted(plan.num_examples, "example")
    files = counted(len(plan.files) + len(plan.side_files), "file")
    place = f"{files} in {shlex.quote(str(folder))}"
    done = f"would be written to {place}; nothing was" if dry_run else f"are in {place}"
    return f"{groups} of {examples} ({format_bytes(plan.num_bytes)}) {done}"
