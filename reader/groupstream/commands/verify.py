"""The command `groupstream verify`."""

from __future__ import annotations

import typer

from groupstream.commands.options import Json, Ref, Root
from groupstream.commands.printing import progress_bar


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("verify", epilog="Example: groupstream verify stdlib@latest")(verify)


def verify(ref: Ref, root: Root = None, json: Json = False) -> None:
    """Read every byte of a version and compare it with what was written."""
    import json as json_module

    from groupstream.dataset import open_dataset
    from groupstream.verify import verify as verify_dataset

    dataset = open_dataset(ref, root)
    size = sum(file.size_bytes for file in dataset.manifest.all_files())
    with progress_bar("Reading", size, in_bytes=True) as advance:
        examples = verify_dataset(dataset, advance)
    result = {
        "ref": dataset.manifest.ref,
        "files": len(dataset.manifest.all_files()),
        "bytes": size,
        "examples": examples,
    }
    if json:
        typer.echo(json_module.dumps(result))
    else:
        typer.echo(
            f"{result['ref']} is as it was written: {result['files']} files, {size:,} bytes, {examples:,} examples"
        )
