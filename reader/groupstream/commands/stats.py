"""The command `groupstream stats`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from groupstream.commands.completion import complete_split
from groupstream.commands.options import Json, Ref, Root
from groupstream.commands.printing import format_bytes, one_line, progress_bar, to_json

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from groupstream.dataset import Split

UNITS = ("examples", "bytes", "words")
Unit = Literal["examples", "bytes", "words"]

_BAR_COLUMNS = (10, 60)  # least and most


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("stats", epilog="Example: groupstream stats stdlib@latest --by bytes")(stats)


def stats(
    ref: Ref,
    split: Annotated[
        str | None, typer.Option("--split", help="Which split; default all.", autocompletion=complete_split)
    ] = None,
    by: Annotated[Unit, typer.Option("--by", help="What the histogram measures the groups in.")] = "examples",
    root: Root = None,
    json: Json = False,
) -> None:
    """Show how large the groups are: percentiles, inequality, a histogram. Reads the index only."""
    from groupstream.dataset import open_dataset

    dataset = open_dataset(ref, root)
    splits = [dataset[name] for name in ([split] if split is not None else dataset)]
    with progress_bar("Reading the index", len(UNITS) * sum(s.num_groups for s in splits)) as advance:
        found = [_stats_of(dataset.manifest.ref, s, by, advance) for s in splits]
    if json:
        typer.echo(to_json(found, indent=2))
        return
    from rich.console import Console

    console = Console()
    for one in found:
        _print(console, one)


def _stats_of(ref: str, split: Split, by: str, advance: Callable[[int], None]) -> dict[str, Any]:
    from dataclasses import asdict

    from groupstream.commands.index import sorted_column
    from groupstream.group_sizes import histogram, summarize

    sizes, bins = {}, []
    for unit in UNITS:
        ascending = sorted_column(split, f"num_{unit}", advance)
        sizes[unit] = asdict(summarize(ascending))
        if unit == by:
            bins = [asdict(b) for b in histogram(ascending)]
    return {
        "ref": ref,
        "split": split.name,
        "num_groups": split.num_groups,
        "sizes": sizes,
        "histogram": {"by": by, "bins": bins},
    }


def _print(console: Console, found: dict[str, Any]) -> None:
    from rich.text import Text

    title = f"{found['ref']} {one_line(found['split'])}: {found['num_groups']:,} groups"
    console.print(Text(title, "bold"))
    console.print(_summary_table(found["sizes"]))
    console.print()
    console.print(histogram_table(found["histogram"], console.width, "utf" in console.encoding.lower()))
    console.print()


def _summary_table(sizes: dict[str, Any]) -> Table:
    """One row a unit where it is wide enough, always one column a figure."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("per group")
    for unit in sizes:
        table.add_column(unit, justify="right")
    for name, figure in _FIGURES.items():
        table.add_row(name, *(figure(unit, summary) for unit, summary in sizes.items()))
    return table


def _amount(unit: str, size: float) -> str:
    if unit == "bytes":
        return format_bytes(round(size))
    return f"{size:,}" if isinstance(size, int) else f"{size:,.1f}"


_FIGURES: dict[str, Callable[[str, dict[str, Any]], str]] = {
    "mean": lambda unit, s: _amount(unit, s["mean"]),
    "10 %": lambda unit, s: _amount(unit, s["percentiles"][10]),
    "50 %": lambda unit, s: _amount(unit, s["percentiles"][50]),
    "90 %": lambda unit, s: _amount(unit, s["percentiles"][90]),
    "99 %": lambda unit, s: _amount(unit, s["percentiles"][99]),
    "largest": lambda unit, s: _amount(unit, s["max"]),
    "all groups": lambda unit, s: _amount(unit, s["total"]),
    "Gini": lambda _, s: f"{s['gini']:.3f}",
    "share of the largest": lambda _, s: f"{s['share_of_largest']:.2%}",
    "groups of one": lambda unit, s: f"{s['share_of_singletons']:.1%}" if unit == "examples" else "",
}


def histogram_table(histogram: dict[str, Any], width: int, has_blocks: bool) -> Table:
    """The bins of a histogram with bars, in so many columns of a terminal."""
    from rich.table import Table
    from rich.text import Text

    unit, bins = histogram["by"], histogram["bins"]
    total = sum(b["total"] for b in bins) or 1
    rows = [(_bounds(unit, b), f"{b['num_groups']:,}", f"{b['total'] / total:.1%}") for b in bins]
    columns = (unit, "groups", f"of all {unit}")
    taken = sum(max(map(len, column)) + 2 for column in zip(columns, *rows, strict=True))
    bar_columns = min(max(width - taken, _BAR_COLUMNS[0]), _BAR_COLUMNS[1])
    most = max((b["num_groups"] for b in bins), default=0)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    for b, row in zip(bins, rows, strict=True):
        table.add_row(*row, Text(bar(b["num_groups"], most, bar_columns, has_blocks), "green"))
    return table


def _bounds(unit: str, b: dict[str, Any]) -> str:
    if b["least"] == b["most"]:
        return _amount(unit, b["least"])
    return f"{_amount(unit, b['least'])} - {_amount(unit, b['most'])}"


def bar(count: int, most: int, columns: int, has_blocks: bool = True) -> str:
    """A bar in eighths of a character, or of # where there are none. Whatever is not 0 can be seen.

    >>> bar(4, 8, 3), bar(1, 10**9, 3), bar(0, 8, 3), bar(4, 8, 3, has_blocks=False)
    ('█▌', '▏', '', '##')
    """
    if not has_blocks:
        return "#" * -(-columns * count // most) if count else ""
    eighths = max(round(8 * columns * count / most), 1) if count else 0
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()
