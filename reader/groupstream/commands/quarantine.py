"""The command `groupstream quarantine`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from groupstream.commands.completion import complete_ref
from groupstream.commands.options import REF_HELP, Json, Root
from groupstream.commands.printing import counted, cut, one_line, to_json

if TYPE_CHECKING:
    from groupstream.features import Features
    from groupstream.quarantine import Quarantined


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("quarantine", epilog="Example: groupstream quarantine stdlib@latest --limit 5")(quarantine)


def quarantine(
    ref: Annotated[
        str,
        typer.Argument(
            metavar="REF",
            help=f"{REF_HELP} Or the folder of a report, or with --run the name of a dataset.",
            autocompletion=complete_ref,
        ),
    ],
    run: Annotated[str | None, typer.Option(help="A run of the dataset by its id: one that published nothing.")] = None,
    reason: Annotated[str, typer.Option(help="Only examples whose reason contains this, such as min_length.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="How many examples to show.")] = 10,
    root: Root = None,
    json: Json = False,
) -> None:
    """Show the examples that broke a check: how many for each reason, where each stands, and what it holds."""
    from groupstream.quarantine import find_quarantine

    found = find_quarantine(ref, root, run)
    reasons = {text: count for text, count in (found.file.reasons() if found.file else {}).items() if reason in text}
    if json:
        _print_json(found, reasons, _examples(found, reason, limit))
    elif not reasons:
        typer.echo(f"{one_line(found.title)}: no example {'broke a check' if not reason else 'broke such a check'}")
    else:
        _print(found.title, reasons, _examples(found, reason, limit))
        if (hidden := sum(reasons.values()) - limit) > 0:
            typer.echo(f"{counted(hidden, 'more example')}; show more with --limit", err=True)


_Example = tuple[str, str, dict[str, Any], "Features"]  # place, reason, values


def _examples(found: Quarantined, reason: str, limit: int) -> Iterator[_Example]:
    """The first ones, in the order of the source."""
    from groupstream.python_values import python_values
    from groupstream.quarantine import decode_rejected

    if found.file is None or not limit:
        return
    for batch in found.file.batches(reason):
        some = batch.slice(0, limit)
        columns, features = decode_rejected(some.column("example"), found.features)
        places, reasons = some.column("place").to_pylist(), some.column("reason").to_pylist()
        rows = zip(*map(python_values, columns.columns), strict=True)
        for place, why, values in zip(places, reasons, rows, strict=True):
            yield place, why, dict(zip(columns.schema.names, values, strict=True)), features
        limit -= len(some)
        if not limit:
            return


def _print(title: str, reasons: dict[str, int], examples: Iterator[_Example]) -> None:
    from rich.console import Console
    from rich.text import Text

    from groupstream.commands.example_table import print_example
    from groupstream.commands.tables import print_numbers_and_name
    from groupstream.commands.values import SHOWN_CHARACTERS

    console = Console()
    broke = f"{counted(sum(reasons.values()), 'example')} broke a check"
    console.print(Text(f"{one_line(title)}: {broke}", "bold"))
    print_numbers_and_name(["examples", "reason"], [(f"{n:,}", one_line(text)) for text, n in reasons.items()])
    for place, reason, values, features in examples:
        console.print()
        shown = f"{cut(one_line(place), SHOWN_CHARACTERS)}  ({cut(one_line(reason), SHOWN_CHARACTERS)})"
        console.print(Text(shown, "bold"))
        print_example(console, values, features)


def _print_json(found: Quarantined, reasons: dict[str, int], examples: Iterator[_Example]) -> None:
    """One document, an example a line, so that many of them are never held."""
    head = {"of": found.title, "num_rejected": sum(reasons.values()), "reasons": reasons}
    typer.echo(to_json(head)[:-1] + ', "examples": [', nl=False)
    separator = "\n"
    for place, reason, values, _ in examples:
        typer.echo(separator + to_json({"place": place, "reason": reason, "example": values}), nl=False)
        separator = ",\n"
    typer.echo("\n]}")
