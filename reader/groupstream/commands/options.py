"""Arguments and options that mean the same in every command."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from groupstream.commands.completion import complete_ref, complete_split

REF_HELP = "name@version, name@latest, name, or the folder of a version."

Ref = Annotated[str, typer.Argument(metavar="REF", help=REF_HELP, autocompletion=complete_ref)]
Root = Annotated[str | None, typer.Option(help="Where the datasets lie. Default: $GROUPSTREAM_ROOT, or ~/groupstream.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
SplitName = Annotated[str, typer.Option("--split", help="Which split.", autocompletion=complete_split)]


def typed_id(argument: str) -> bytes:
    """A group id, or a part of one: text as UTF-8, or the bytes that were typed where they are not UTF-8."""
    try:
        return argument.encode()
    except UnicodeEncodeError:
        return os.fsencode(argument)
