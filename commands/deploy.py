"""The command `groupstream deploy`."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from groupstream.commands.options import Json

_WAIT_SECONDS = 600


def register(app: typer.Typer) -> None:
    """Adds the command. Called through the entry point `groupstream.commands`."""
    app.command("deploy", epilog="Example: groupstream deploy --wait --limit 8")(deploy)


def deploy(
    file: Annotated[
        Path | None, typer.Option(help="The deployments. Default: prefect.yaml, here or beside the code.")
    ] = None,
    automations: Annotated[Path | None, typer.Option(help="Default: automations.yaml beside that file.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many runs at once, in a work pool that is made.")] = 4,
    folder: Annotated[Path | None, typer.Option(help="Where runs of a pool of processes start.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for a server that is starting.")] = False,
    json: Json = False,
) -> None:
    """Bring the deployments of prefect.yaml and the automations to the server that PREFECT_API_URL names.

    It may run at any time: schedules that people switched on stay on, other changes of theirs until the file changes.
    """
    from groupstream import UsageError
    from orchestration.definitions import AUTOMATIONS_FILE, PREFECT_FILE, beside_the_code

    api = os.environ.get("PREFECT_API_URL")
    if not api:
        raise UsageError(
            "PREFECT_API_URL is not set; name a server, such as http://127.0.0.1:4200/api, or: groupstream up"
        )
    from orchestration import deploying
    from orchestration.waiting import is_healthy

    definitions = file or beside_the_code(PREFECT_FILE)
    deployables = deploying.read_deployables(definitions)
    deadline = time.monotonic() + _WAIT_SECONDS
    while wait and not is_healthy(api) and time.monotonic() < deadline:
        time.sleep(0.2)
    done = deploying.deploy(deployables, automations or definitions.with_name(AUTOMATIONS_FILE), limit, folder)
    if json:
        typer.echo(done.model_dump_json(indent=2))
        return
    for name in done.deployments:
        typer.echo(f"{name}  {'deployed' if name in done.changed else 'as it was'}")
    typer.echo(f"{len(done.automations)} automations: {', '.join(done.automations)}")
    for name, block in done.left_out.items():
        typer.echo(f"{name}  left out: it needs the block {block}; make it in the UI or set GROUPSTREAM_WEBHOOK_URL")
