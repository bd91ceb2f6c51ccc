"""The command `groupstream`. Each command is a file of its own in groupstream/commands.

The platform adds its commands through the entry points `groupstream.commands`: functions that take the app.
"""

from __future__ import annotations

import sys
from importlib import metadata

import typer

from groupstream.commands import head, info, ls, verify
from groupstream.errors import GroupstreamError

PLATFORM_COMMANDS = ("build",)  # named here only to say what to install where they are missing


def make_app() -> typer.Typer:
    """The command with all that is installed."""
    app = typer.Typer(
        name="groupstream",
        help="Datasets whose examples belong to groups: list, look, read, verify.",
        epilog="Example: groupstream info stdlib@latest",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    app.callback()(_options)
    for module in (ls, info, head, verify):
        module.register(app)
    for entry_point in metadata.entry_points(group="groupstream.commands"):
        entry_point.load()(app)
    return app


def _options(
    context: typer.Context, debug: bool = typer.Option(False, "--debug", help="Show where an error comes from.")
) -> None:
    context.obj = {"debug": debug}


def main() -> None:
    """Runs the command: 0 done, 1 the data or the run is bad, 2 wrong usage."""
    arguments = sys.argv[1:]
    app = make_app()
    known = {command.name for command in app.registered_commands}
    if arguments and arguments[0] in PLATFORM_COMMANDS and arguments[0] not in known:
        _fail(
            f"groupstream {arguments[0]} comes with the platform, which is not installed here: see its README",
            2,
        )
    try:
        app()
    except GroupstreamError as error:
        if "--debug" in arguments:
            raise
        _fail(str(error), error.exit_code)


def _fail(message: str, exit_code: int) -> None:
    typer.echo(f"error: {message}", err=True)
    raise SystemExit(exit_code)
