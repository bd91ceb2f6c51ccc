"""The command `groupstream study`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commands.prefect_settings import prepare_prefect


def register(app: typer.Typer) -> None:
    """Adds the command. Called through the entry point `groupstream.commands`."""
    example = "Example: groupstream study specs/training/studies/local_steps.yaml --output studies"
    app.command("study", epilog=example)(study)


def study(
    file: Annotated[
        Path, typer.Argument(metavar="STUDY", help="A YAML file that says what is trained and what differs.")
    ],
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the study, such as train.dataset=news."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="A folder for results; what was begun there goes on. Default: .training in the root."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Train over and over with something changed, and put the results beside each other."""
    prepare_prefect()
    from rich.console import Console
    from rich.text import Text

    from specs import load_spec
    from training.study import Study

    loaded = load_spec(file, setting or [], Study)
    console = Console(stderr=True)
    with console.status("Starting"):
        from commands.shown_run import shown_run
        from flows.run_study import run_study
    with shown_run(console):
        result = run_study(loaded, output=None if output is None else str(output))
    if json:
        typer.echo(result.model_dump_json(indent=2))
    else:
        Console().print(Text(f"study: {result.page}"), soft_wrap=True)
