"""The command `groupstream plan`."""

from __future__ import annotations

from typing import Annotated

import typer

from commands.options import Settings, SpecFile


def register(app: typer.Typer) -> None:
    """Adds the command. Called through the entry point `groupstream.commands`."""
    app.command("plan", epilog="Example: groupstream plan specs/demo.yaml --set runner.num_workers=2")(plan)


def plan(
    spec: SpecFile,
    setting: Settings = None,
    price: Annotated[
        list[str] | None,
        typer.Option("--price", metavar="NAME=DOLLARS", help="Change a price of Dataflow, such as vcpu_hour=0.06."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Say what a build will do before it does it: examples, bytes, shards, room, time, and what Dataflow costs.

    Reads a sample of at most 20,000 examples or 64 MiB, and builds it in a temporary folder to time it. Every figure
    says how it was got. Exit code 1 if the build has no room.
    """
    from pipelines.dataflow_cost import read_prices
    from pipelines.estimate import estimate_build
    from pipelines.plan import make_plan
    from specs import load_spec

    prices = read_prices(price or [])
    estimate = estimate_build(make_plan(load_spec(spec, setting or []), identify=False), prices)
    from commands.plan_report import describe_estimate, print_estimate

    if json:
        from groupstream.commands.printing import to_json

        typer.echo(to_json(describe_estimate(estimate), indent=2))
    else:
        from rich.console import Console

        print_estimate(Console(), estimate)
    if estimate.shortage is not None:
        raise estimate.shortage
