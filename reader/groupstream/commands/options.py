"""Arguments and options that mean the same in every command."""

from __future__ import annotations

from typing import Annotated

import typer

Ref = Annotated[str, typer.Argument(metavar="REF", help="name@version, name@latest, name, or the folder of a version.")]
Root = Annotated[str | None, typer.Option(help="Where the datasets lie. Default: $GROUPSTREAM_ROOT, or ~/groupstream.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
SplitName = Annotated[str, typer.Option("--split", help="Which split.")]
