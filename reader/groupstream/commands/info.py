"""The command `groupstream info`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from groupstream.commands.options import Json, Ref, Root
from groupstream.commands.printing import to_json, visible

if TYPE_CHECKING:
    from rich.text import Text

    from groupstream.features import Feature


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("info", epilog="Example: groupstream info stdlib@latest")(info)


def info(ref: Ref, root: Root = None, json: Json = False) -> None:
    """Show what a version is: its features, its sizes, where it came from."""
    from groupstream.dataset import open_dataset

    dataset = open_dataset(ref, root)
    if json:
        typer.echo(to_json(dataset.manifest.model_dump(mode="json"), indent=2))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    manifest = dataset.manifest
    table = Table.grid(padding=(0, 2))
    table.add_row("version", Text(manifest.ref, "bold"))
    table.add_row("what", Text(visible(manifest.description)))
    table.add_row("in", Text(visible(dataset.location), overflow="fold"))
    for name, split in manifest.splits.items():
        s = split.statistics
        sizes = " / ".join(f"{n:,}" for _, n in s.group_sizes)
        table.add_row(
            Text(visible(name)),
            f"{s.num_groups:,} groups, {s.num_examples:,} examples, {s.num_bytes:,} bytes, {s.num_words:,} words",
        )
        table.add_row("", f"examples per group at 10 / 50 / 90 % / max: {sizes}")
    table.add_row(
        "features",
        Text("\n".join(f"{visible(name)}: {_describe(feature)}" for name, feature in manifest.features.items())),
    )
    table.add_row("groups by", _settings(manifest.spec.get("partitioner", {})))
    table.add_row("source", _settings(manifest.source))
    dropped = ", ".join(f"{n:,} {reason}" for reason, n in manifest.counts.dropped.items()) or "none"
    table.add_row("dropped", Text(visible(dropped)))
    Console().print(table)


def _settings(settings: Mapping[str, Any]) -> Text:
    from rich.text import Text

    return Text(visible(" ".join(f"{k}={v}" for k, v in settings.items() if v is not None)), overflow="fold")


def _describe(feature: Feature) -> str:
    shape = f" {list(feature.shape)}" if feature.shape else ""
    return f"{feature.image_format or feature.dtype}{shape}{', may be missing' if feature.optional else ''}"
