"""The command `groupstream`. Each command is a file of its own in groupstream/commands.

The platform adds its commands through the entry points `groupstream.commands`: functions that take the app.
"""

from __future__ import annotations

import io
import os
import sys
from importlib import metadata

import typer

from groupstream.commands import checks, diff, export, groups, head, info, ls, pull, quarantine, stats, verify
from groupstream.commands.completion import whole_words
from groupstream.commands.printing import visible, warnings_as_lines
from groupstream.errors import GroupstreamError

PROGRAM = "groupstream"  # also where it runs as a module, so that completion is for the name that people type
PLATFORM_COMMANDS = (  # named to say what to install for them
    *("build", "card", "catalog", "plan", "preview"),
    *("deprecate", "history", "lineage", "publish", "tag", "untag"),
    *("delete", "doctor", "gc"),
    *("deploy", "study", "train", "up"),
)


def make_app() -> typer.Typer:
    """The command with all that is installed."""
    app = typer.Typer(
        name=PROGRAM,
        help="Datasets whose examples belong to groups: list, look, measure, compare, verify, pull.",
        epilog="Example: groupstream info stdlib@latest",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    app.callback()(_options)
    for module in (ls, info, head, stats, groups, checks, quarantine, verify, pull, export, diff):
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
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what a terminal cannot show is no reason to fail
    app = make_app()
    known = {command.name for command in app.registered_commands}
    wanted = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), None)
    if wanted in PLATFORM_COMMANDS and wanted not in known:
        _fail(
            f"groupstream {wanted} comes with the platform, which is not installed here; "
            "install groupstream-platform from its repository (see README.md there)",
            2,
        )
    try:
        with whole_words(os.environ), warnings_as_lines():
            app(prog_name=PROGRAM)
    except (GroupstreamError, OSError) as error:
        if "--debug" in sys.argv:
            raise
        _fail(_line_of(error), getattr(error, "exit_code", 1))


def _line_of(error: GroupstreamError | OSError) -> str:
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{os.fsdecode(error.filename)}: {error.strerror}. Check the path and who may use it"
    return str(error)


def _fail(message: str, exit_code: int) -> None:
    """One line, whatever the message quotes."""
    typer.echo(f"error: {' '.join(visible(message).split())}", err=True)
    raise SystemExit(exit_code)
