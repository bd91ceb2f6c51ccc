"""The command `groupstream build`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commands.prefect_settings import prepare_prefect


def register(app: typer.Typer) -> None:
    """Adds the command. Called through the entry point `groupstream.commands`."""
    app.command("build", epilog="Example: groupstream build specs/demo.yaml --set runner.num_workers=2")(build)


def build(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="A YAML file that says what to build.")],
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the spec, such as partitioner.seed=7."),
    ] = None,
    root: Annotated[str | None, typer.Option(help="Where to publish; wins over publish.root.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Build a dataset and publish it as a version; do nothing if that version exists."""
    prepare_prefect()
    from rich.console import Console

    from specs import load_spec

    loaded = load_spec(spec, [*(setting or []), *([f"publish.root={root}"] if root else [])])
    console = Console(stderr=True)
    with console.status("Starting"):
        from commands.failed_checks import showing_failed_checks
        from commands.shown_run import shown_run
        from commands.terminal import show_result
        from flows.build_dataset import build_dataset
    with showing_failed_checks(console, json), shown_run(console):
        result = build_dataset(loaded)
    if json:
        typer.echo(result.model_dump_json(indent=2))
    else:
        show_result(Console(), result)
