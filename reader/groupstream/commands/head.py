"""The command `groupstream head`."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from groupstream.commands.options import Json, Ref, Root, SplitName, chosen_split, typed_id
from groupstream.commands.printing import counted, cut, one_line, to_json

if TYPE_CHECKING:
    from groupstream.features import Feature


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("head", epilog="Example: groupstream head stdlib@latest --group json")(head)


def head(
    ref: Ref,
    group: Annotated[str | None, typer.Option(help="One group by its id; default the first ones.")] = None,
    groups: Annotated[int, typer.Option(min=1, help="How many groups.")] = 2,
    examples: Annotated[int, typer.Option(min=1, help="How many examples of each.")] = 2,
    split: SplitName = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Show the first examples of the first groups, or of one group."""
    from groupstream.dataset import open_dataset

    dataset = open_dataset(ref, root)
    opened = chosen_split(dataset, split)
    chosen = [opened.group(typed_id(group))] if group is not None else list(itertools.islice(opened, groups))
    shown: list[dict[str, Any]] = [
        {"group_id": g.name, "num_examples": g.num_examples, "examples": list(itertools.islice(g.examples(), examples))}
        for g in chosen
    ]
    if json:
        typer.echo(to_json(shown))
    else:
        for one in shown:
            _print_group(dataset.features, **one)


def _print_group(
    features: Mapping[str, Feature], group_id: str, num_examples: int, examples: list[dict[str, Any]]
) -> None:
    from rich.console import Console
    from rich.text import Text

    from groupstream.commands.example_table import print_example
    from groupstream.commands.values import SHOWN_CHARACTERS

    console = Console()
    console.print(Text(f"{cut(one_line(group_id), SHOWN_CHARACTERS)}  ({counted(num_examples, 'example')})", "bold"))
    for example in examples:
        print_example(console, example, features)
        console.print()
