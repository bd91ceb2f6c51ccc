"""The command `groupstream up`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from groupstream.commands.options import Root

if TYPE_CHECKING:
    from orchestration.local_platform import LocalPlatform, Place


def register(app: typer.Typer) -> None:
    """Adds the command. Called through the entry point `groupstream.commands`."""
    app.command("up", epilog="Example: groupstream up --root ~/datasets --port 4300")(up)


def up(
    root: Root = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Of the UI and the API.")] = 4200,
    home: Annotated[
        Path | None,
        typer.Option(help="Prefect's database and the logs. Default: $PREFECT_HOME, or .prefect in the root."),
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="The deployments. Default: prefect.yaml, here or beside the code.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many runs at once, in a home that is new.")] = 4,
    worker: Annotated[bool, typer.Option(help="Run a worker, too.")] = True,
) -> None:
    """Run the platform on this machine: a Prefect server, a worker, all deployments and automations; Ctrl-C ends it.

    What dies is started again. Started anew, it finds everything as it was.
    """
    from rich.console import Console
    from rich.text import Text

    from groupstream.refs import default_root
    from orchestration.definitions import PREFECT_FILE, beside_the_code
    from orchestration.local_platform import Place, running

    where = _absolute(root or default_root())
    place = Place(_home(home, where), where, port, file or beside_the_code(PREFECT_FILE), limit, worker)
    console = Console(stderr=True)
    with console.status("Starting") as status:
        try:
            with running(place, lambda news: console.print(Text(news), soft_wrap=True)) as platform:
                status.stop()  # else what is printed on stdout goes where the status does
                _show(place, platform)
                status.update("Up; Ctrl-C stops it")
                status.start()
                platform.tend()
        except KeyboardInterrupt:
            console.print("Stopped; nothing of it runs any more")


def _absolute(root: str) -> str:
    from groupstream.disk import absolute
    from groupstream.stores import is_url

    return root if is_url(root) else str(absolute(root))


def _home(given: Path | None, root: str) -> Path:
    """A home of its own: Prefect's default one may hold another server's database."""
    from groupstream.stores import is_url

    variable = os.environ.get("PREFECT_HOME")
    default = "~/.groupstream/prefect" if is_url(root) else f"{root}/.prefect"
    return (given or Path(variable or default)).expanduser().absolute()


def _show(place: Place, platform: LocalPlatform) -> None:
    """Where to go from here, on stdout."""
    form = platform.deployments["build-dataset/build-dataset"]
    lines = {
        "UI": place.url,
        "build": f"{place.url}/v2/deployments/deployment/{form}",
        "API": platform.environment["PREFECT_API_URL"],
        "datasets": place.root,
        "logs": str(platform.server.log.parent),
    }
    for name, value in lines.items():
        typer.echo(f"{name:<9} {value}")
