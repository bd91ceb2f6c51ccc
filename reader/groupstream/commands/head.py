"""The command `groupstream head`."""

from __future__ import annotations

import itertools
from typing import Annotated, Any

import typer

from groupstream.commands.options import Json, Ref, Root, SplitName
from groupstream.commands.printing import to_json, visible

_SHOWN_CHARACTERS = 200


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("head", epilog="Example: groupstream head stdlib@latest --group json")(head)


def head(
    ref: Ref,
    group: Annotated[str | None, typer.Option(help="One group by its id; default the first ones.")] = None,
    groups: Annotated[int, typer.Option(min=1, help="How many groups.")] = 2,
    examples: Annotated[int, typer.Option(min=1, help="How many examples of each.")] = 2,
    split: SplitName = "train",
    root: Root = None,
    json: Json = False,
) -> None:
    """Show the first examples of the first groups, or of one group."""
    from groupstream.dataset import open_dataset

    opened = open_dataset(ref, root)[split]
    chosen = [opened.group(group)] if group is not None else list(itertools.islice(opened, groups))
    shown: list[dict[str, Any]] = [
        {"group_id": g.name, "num_examples": g.num_examples, "examples": list(itertools.islice(g.examples(), examples))}
        for g in chosen
    ]
    if json:
        typer.echo(to_json(shown))
    else:
        for one in shown:
            _print_group(**one)


def _print_group(group_id: str, num_examples: int, examples: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    console.print(Text(f"{visible(group_id)}  ({num_examples:,} example{'s' * (num_examples != 1)})", "bold"))
    for example in examples:
        table = Table.grid(padding=(0, 2))
        for feature, value in example.items():
            text = " ".join(_readable(value).split())
            cut = f"{text[:_SHOWN_CHARACTERS]} ..." if len(text) > _SHOWN_CHARACTERS else text
            table.add_row(Text(f"  {visible(feature)}", "dim"), Text(visible(cut), overflow="fold"))
        console.print(table)
        console.print()


def _readable(value: Any) -> str:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)
