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
from groupstream.refs import DEFAULT_ROOT


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
    table = Table.grid(padding=(0, 2))
    for name, split in manifest.splits.items():
        s = split.statistics
        sizes = " / ".join(f"{n:,}" for _, n in s.group_sizes)
        table.add_row(
            "groups", f"{s.num_groups:,}", f"[dim]{name}, {len(split.shards)} shard{'s' * (len(split.shards) > 1)}[/]"
        )
        table.add_row(
            "examples", f"{s.num_examples:,}", f"[dim]{manifest.counts.examples_in:,} in, {_dropped(result)}[/]"
        )
        table.add_row("bytes", format_bytes(s.num_bytes), "")
        table.add_row("words", f"{s.num_words:,}", "")
        table.add_row("group size", sizes, "[dim]examples at 10 / 50 / 90 % / max[/]")
    for name, seconds in result.stage_seconds.items():
        table.add_row(name.lower(), f"{seconds:.1f} s", "")
    outcome = "is published" if result.built else "exists already: same spec, same source, so nothing to do"
    console.print(Text(f"{manifest.ref} {outcome}", "bold"))
    console.print(table)
    console.print(Text(f"in {result.location}"), soft_wrap=True)
    console.print(Text(f"card: {result.location}/report/card.html"), soft_wrap=True)
    console.print(Text(f"next: {_next_command(result)}"), soft_wrap=True)


def _dropped(result: BuildResult) -> str:
    dropped = result.manifest.counts.dropped
    return ", ".join(f"{count:,} dropped ({reason})" for reason, count in dropped.items()) or "none dropped"


def _next_command(result: BuildResult) -> str:
    """What to type to see examples, from where the person is and whatever their shell knows."""
    location = Path(result.location)
    if location.is_relative_to(Path(DEFAULT_ROOT).expanduser()):
        ref = result.manifest.ref
    else:
        ref = str(location.relative_to(Path.cwd()) if location.is_relative_to(Path.cwd()) else location)
    command = "groupstream" if shutil.which("groupstream") else sys.argv[0]
    return shlex.join([command, "head", ref])
