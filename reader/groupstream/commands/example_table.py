"""One example as a table: a line for each feature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from groupstream.commands.printing import one_line
from groupstream.commands.values import describe_value
from groupstream.features import Features


def print_example(console: Console, example: Mapping[str, Any], features: Features) -> None:
    """Prints the features of an example, long values cut."""
    table = Table.grid(padding=(0, 2))
    for name, value in example.items():
        shown = describe_value(value, features[name])
        table.add_row(Text(f"  {one_line(name)}", "dim"), Text(shown, overflow="fold"))
    console.print(table)
