"""A build as a person at a terminal sees it."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from cards import format_bytes
from flows.result import BuildResult
from groupstream.commands.check_table import summary
from groupstream.commands.printing import visible
from groupstream.manifest import SplitInfo
from groupstream.refs import DEFAULT_ROOT
from groupstream.stores import is_url


class TerminalReporter:
    """One line a stage, with a bar where the length of the work is known. A context manager."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn("{task.description:<14}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("{task.fields[detail]}"),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> TerminalReporter:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def stage_started(self, name: str) -> None:
        """See `tasks.reporting.Reporter`."""
        self._tasks[name] = self._progress.add_task(name, total=None, detail="")

    def stage_progressed(self, name: str, done: int, total: int, detail: str) -> None:
        """See `tasks.reporting.Reporter`."""
        self._progress.update(self._tasks[name], completed=done, total=total, detail=Text(detail))

    def stage_ended(self, name: str, seconds: float) -> None:
        """See `tasks.reporting.Reporter`."""
        self._progress.update(self._tasks[name], total=1, completed=1)


def show_result(console: Console, result: BuildResult) -> None:
    """The short table at the end of a build."""
    manifest = result.manifest
    outcome = "is published" if result.built else "exists already: same spec, same source, so nothing to do"
    console.print(Text(f"{manifest.ref} {outcome}", "bold"))
    if result.why:
        console.print(Text(f"{'number':<13}  {visible(result.why)}"))
    splits = list(manifest.splits.items())
    console.print(_one_split(result, *splits[0]) if len(splits) == 1 else _several_splits(result))
    console.print(Text(f"{'checks':<13}  {summary(manifest.checks)}"))
    stages = Table.grid(padding=(0, 2))
    for name, seconds in result.stage_seconds.items():
        stages.add_row(f"{name.lower():<13}", f"{seconds:.1f} s")
    console.print(stages)
    console.print(Text(f"in {result.location}"), soft_wrap=True)
    console.print(Text(f"card: {result.location}/report/card.html"), soft_wrap=True)
    console.print(Text(f"next: {_next_command(result)}"), soft_wrap=True)


def _one_split(result: BuildResult, name: str, split: SplitInfo) -> Table:
    s = split.statistics
    shards = f"{len(split.shards)} shard{'s' * (len(split.shards) > 1)}"
    table = Table.grid(padding=(0, 2))
    table.add_row(f"{'groups':<13}", f"{s.num_groups:,}", f"[dim]{name}, {shards}[/]")
    table.add_row("examples", f"{s.num_examples:,}", f"[dim]{_accounted(result)}[/]")
    table.add_row("bytes", format_bytes(s.num_bytes), "")
    table.add_row("words", f"{s.num_words:,}", "")
    table.add_row("group size", _sizes(split), "[dim]examples at 10 / 50 / 90 % / max[/]")
    return table


def _several_splits(result: BuildResult) -> Table:
    """A row for each split, and where the examples went."""
    table = Table(box=None, padding=(0, 2, 0, 0), caption=_accounted(result), caption_justify="left")
    table.add_column("split")
    for name in ("shards", "groups", "examples", "bytes", "words"):
        table.add_column(name, justify="right")
    table.add_column("group size at 10 / 50 / 90 % / max", justify="right")
    for name, split in result.manifest.splits.items():
        s = split.statistics
        counts = (f"{n:,}" for n in (len(split.shards), s.num_groups, s.num_examples))
        table.add_row(name, *counts, format_bytes(s.num_bytes), f"{s.num_words:,}", _sizes(split))
    return table


def _sizes(split: SplitInfo) -> str:
    return " / ".join(f"{n:,}" for _, n in split.statistics.group_sizes)


def _accounted(result: BuildResult) -> str:
    return f"{result.manifest.counts.examples_in:,} in, {_dropped(result)}"


def _dropped(result: BuildResult) -> str:
    dropped = result.manifest.counts.dropped
    return ", ".join(f"{count:,} dropped ({reason})" for reason, count in dropped.items()) or "none dropped"


def _next_command(result: BuildResult) -> str:
    """What to type to see examples, from where the person is and whatever their shell knows."""
    command = "groupstream" if shutil.which("groupstream") else sys.argv[0]
    return shlex.join([command, "head", _ref_from_here(result)])


def _ref_from_here(result: BuildResult) -> str:
    location = Path(result.location)
    if is_url(result.location):
        return result.location
    if location.is_relative_to(Path(DEFAULT_ROOT).expanduser()):
        return result.manifest.ref
    return str(location.relative_to(Path.cwd()) if location.is_relative_to(Path.cwd()) else location)
