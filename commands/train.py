"""The command `groupstream train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.prefect_settings import prepare_prefect

if TYPE_CHECKING:
    from rich.console import Console

    from flows.training_result import TrainingResult


def register(app: typer.Typer) -> None:
    """Adds the command. Called through the entry point `groupstream.commands`."""
    example = "Example: groupstream train specs/training/demo.yaml --set rounds=20 --output ~/training"
    app.command("train", epilog=example)(train)


def train(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="A YAML file that says what to train on what.")],
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the spec, such as rounds=200."),
    ] = None,
    ref: Annotated[str | None, typer.Option(help="Train on this version; wins over dataset.")] = None,
    root: Annotated[str | None, typer.Option(help="Where the version lies; wins over root.")] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="A folder for results; what was begun there goes on. Default: .training in the root."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Train a model with federated algorithms, measure held-out groups before and after fine-tuning, and compare."""
    prepare_prefect()
    from rich.console import Console

    from specs import load_spec
    from training.spec import TrainSpec

    loaded = load_spec(spec, setting or [], TrainSpec)
    console = Console(stderr=True)
    with console.status("Starting"):
        from commands.shown_run import shown_run
        from flows.train_and_benchmark import train_and_benchmark
    with shown_run(console):
        result = train_and_benchmark(loaded, ref=ref, root=root, output=None if output is None else str(output))
    if json:
        typer.echo(result.model_dump_json(indent=2))
    else:
        show_trained(Console(), result)


def show_trained(console: Console, result: TrainingResult) -> None:
    """The percentiles, and where the report lies."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), title=f"Held-out groups of {result.dataset}", title_justify="left")
    for name in ("algorithm", "", "", "10 %", "50 %", "90 %"):
        table.add_column(name, justify="left" if not name.endswith("%") else "right")
    for row in result.percentiles:
        table.add_row(
            row.algorithm, row.measure, row.moment, *(f"{value:.3f}" for value in (row.p10, row.p50, row.p90))
        )
    console.print(table)
    console.print(Text(f"report: {result.report}"), soft_wrap=True)
