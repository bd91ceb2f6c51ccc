"""The command `groupstream head`."""

from __future__ import annotations

import itertools
from typing import Annotated, Any

import typer

from groupstream.commands.options import Json, Ref, Root, SplitName

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
    chosen = [_find(opened, group)] if group is not None else list(itertools.islice(opened, groups))
    for one in chosen:
        shown = [_readable(example) for example in itertools.islice(one.examples(), examples)]
        if json:
            import json as json_module

            typer.echo(json_module.dumps({"group_id": one.name, "num_examples": one.num_examples, "examples": shown}))
        else:
            _print_group(one.name, one.num_examples, shown)


def _find(split: Any, group: str) -> Any:
    from groupstream.errors import RefNotFoundError

    if group not in split:
        raise RefNotFoundError(f"no group {group!r} in split {split.name}; the first is {next(iter(split)).name!r}")
    return split.group(group)


def _print_group(name: str, num_examples: int, examples: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    console.print(Text(f"{name}  ({num_examples:,} example{'s' * (num_examples != 1)})", "bold"))
    for example in examples:
        table = Table.grid(padding=(0, 2))
        for feature, value in example.items():
            text = " ".join(str(value).split())
            cut = f"{text[:_SHOWN_CHARACTERS]} ..." if len(text) > _SHOWN_CHARACTERS else text
            table.add_row(Text(f"  {feature}", "dim"), Text(_visible(cut), overflow="fold"))
        console.print(table)
        console.print()


def _readable(example: dict[str, Any]) -> dict[str, Any]:
    return {name: _readable_value(value) for name, value in example.items()}


def _readable_value(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    if hasattr(value, "tolist"):
        return value.tolist()
    return value


def _visible(text: str) -> str:
    """Control characters as escapes, so that data cannot steer the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
