"""Arguments that several commands of the platform share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from groupstream.commands.completion import complete_name

SpecFile = Annotated[Path, typer.Argument(metavar="SPEC", help="A YAML file that says what to build.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the spec, such as partitioner.seed=7."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and write nothing.")]
DatasetName = Annotated[str, typer.Argument(metavar="NAME", help="The dataset.", autocompletion=complete_name)]
Alias = Annotated[str, typer.Argument(metavar="ALIAS", help="Such as stable: a-z, 0-9, _ and -, a letter first.")]
