"""Tables of numbers, each row with a name at its end."""

from __future__ import annotations

import os
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

_GAP = 2
_MIN_NAME_COLUMNS = 12

Row = Sequence[str | Text]


def print_numbers_and_name(columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Prints a table whose last column is cut where the terminal ends. What goes to a file or a pipe is not cut."""
    widths = [max(cell_len(str(cell)) for cell in column) for column in zip(columns, *rows, strict=True)]
    taken = sum(widths[:-1]) + _GAP * (len(widths) - 1)
    console = Console()
    is_cut = console.is_terminal or "COLUMNS" in os.environ
    room = max(console.width - taken, _MIN_NAME_COLUMNS) if is_cut else widths[-1]
    console.width = max(console.width, taken + room)
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    for name in columns[:-1]:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column(columns[-1], no_wrap=True)
    for *numbers, last in rows:
        shown = Text(str(last))
        shown.truncate(room, overflow="ellipsis")
        table.add_row(*numbers, shown)
    console.print(table)
