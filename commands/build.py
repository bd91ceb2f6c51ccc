"""The command `groupstream build`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

_PREFECT_DEFAULTS = {
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",  # a new database must be migrated first
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",  # the terminal shows stages and errors itself
}


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
    _prepare_prefect()
    from rich.console import Console

    from specs import load_spec

    loaded = load_spec(spec, [*(setting or []), *([f"publish.root={root}"] if root else [])])
    console = Console(stderr=True)
    with console.status("Starting"):
        from commands.failed_checks import showing_failed_checks
        from commands.log_lines import log_lines
        from commands.terminal import TerminalReporter, show_result
        from flows.build_dataset import build_dataset
        from tasks.reporting import reporter
    with showing_failed_checks(console, json), TerminalReporter(console) as shown, log_lines(console):
        reporter.set(shown)
        result = build_dataset(loaded)
    if json:
        typer.echo(result.model_dump_json(indent=2))
    else:
        show_result(Console(), result)


def _prepare_prefect() -> None:
    """Settings that must stand before Prefect is imported. Its home must exist, or its server never starts."""
    for name, value in _PREFECT_DEFAULTS.items():
        os.environ.setdefault(name, value)
    home = Path(os.environ.get("PREFECT_HOME") or "~/.prefect").expanduser()
    home.mkdir(parents=True, exist_ok=True)
