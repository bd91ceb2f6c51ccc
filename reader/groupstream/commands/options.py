"""Arguments and options that mean the same in every command."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from groupstream.commands.completion import complete_ref, complete_split

if TYPE_CHECKING:
    from groupstream.dataset import Dataset, Split

REF_HELP = "name@version, name@alias, name, or the folder of a version."

Ref = Annotated[str, typer.Argument(metavar="REF", help=REF_HELP, autocompletion=complete_ref)]
Root = Annotated[str | None, typer.Option(help="Where the datasets lie. Default: $GROUPSTREAM_ROOT, or ~/groupstream.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
SplitName = Annotated[
    str | None,
    typer.Option("--split", help="Which split. Default: train, or the first there is.", autocompletion=complete_split),
]


def chosen_split(dataset: Dataset, name: str | None) -> Split:
    """The split of that name; without one train, or the first by name in a version that has no train.

    Raises:
        UnknownKeyError: there is no such split.
    """
    return dataset[name if name is not None else "train" if "train" in dataset else min(dataset)]


def typed_id(argument: str) -> bytes:
    """A group id, or a part of one: text as UTF-8, or the bytes that were typed where they are not UTF-8."""
    try:
        return argument.encode()
    except UnicodeEncodeError:
        return os.fsencode(argument)
