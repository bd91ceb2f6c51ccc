"""What `groupstream plan` says: as JSON, and on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cards.text import format_bytes
from pipelines.estimate import Estimate
from pipelines.source_size import Amount

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_UNITS = ("bytes", "seconds", "hours", "dollars")


def describe_estimate(estimate: Estimate) -> dict[str, Any]:
    """All figures, each with its value and how it was got; null where it is not known."""
    return {
        "figures": {name: amount._asdict() for name, amount in estimate.figures.items()},
        "dataflow": {name: amount._asdict() for name, amount in estimate.dataflow.items()},
        "warnings": estimate.warnings,
        "fits": estimate.shortage is None,
    }


def print_estimate(console: Console, estimate: Estimate) -> None:
    """The same for people."""
    from rich.text import Text

    console.print(_table(estimate.figures))
    if estimate.dataflow:
        console.print()
        console.print(Text("On Dataflow", "bold"))
        console.print(_table(estimate.dataflow))
    for warning in estimate.warnings:
        console.print(Text(f"note: {warning}", "yellow"))


def _table(amounts: Mapping[str, Amount]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="dim")
    for name, amount in amounts.items():
        table.add_row(_name_in_words(name), format_amount(name, amount.value), Text(amount.how))
    return table


def format_amount(name: str, value: float | None) -> str:
    """A figure in the unit that ends its name.

    >>> format_amount("output_bytes", 1_500_000), format_amount("seconds", 4000), format_amount("shards", None)
    ('1.5 MB', '1 h 07 min', 'unknown')
    """
    if value is None:
        return "unknown"
    unit = name.rpartition("_")[2]
    if unit == "dollars":
        return f"{value:,.2f} $" if value >= 0.005 or not value else "< 0.01 $"
    if unit == "bytes":
        return format_bytes(value)
    if unit == "seconds":
        return _duration(value)
    return f"{value:,.2f} h" if unit == "hours" else f"{value:,.0f}"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60:,} h {minutes % 60:02d} min"


def _name_in_words(name: str) -> str:
    """`staging_free_bytes` is "staging free", `dollars` "dollars"."""
    words = name.split("_")
    return " ".join(words[:-1] if len(words) > 1 and words[-1] in _UNITS else words)
