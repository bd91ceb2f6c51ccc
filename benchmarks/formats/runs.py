"""A format at a size, in turns, each time in a process of its own that has a time limit."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.formats.examples import Size
from benchmarks.formats.formats import OURS, Format

AGAIN_SECONDS = 60.0  # a format that takes less is read in every turn
_BLOCK_BYTES = 16 << 20


class NotMeasuredError(Exception):
    """A format has no time at a size; the message says why."""


@dataclass(frozen=True)
class Limits:
    """What a run of all may take: turns of a case, and seconds of a process, which imports, opens and reads."""

    turns: int = 3
    process_seconds: float = 600.0


@dataclass(frozen=True)
class Run:
    """What one process found; see `group_loop`."""

    turn: int
    num_groups: int
    num_examples: int
    num_bytes: int
    seconds: float
    open_seconds: float
    peak_bytes: int
    bytes_before: int
    library: str

    @property
    def seen(self) -> tuple[int, int, int]:
        """Groups, examples, bytes: the same for every format."""
        return self.num_groups, self.num_examples, self.num_bytes


@dataclass
class Case:
    """A format at a size: its runs, and why there are none or no more."""

    format: Format
    size: Size
    runs: list[Run] = field(default_factory=list)
    why_not: str | None = None

    @property
    def seconds(self) -> float:
        """The median of the turns."""
        return median(run.seconds for run in self.runs)

    def is_due(self, turn: int) -> bool:
        """Whether it is read in this turn. Ours always is: it is what the others are compared with."""
        if self.why_not is not None:
            return False
        return turn == 0 or self.format.name == OURS or self.runs[0].seconds + self.runs[0].open_seconds < AGAIN_SECONDS


def run_size(
    folder: Path, size: Size, formats: Sequence[Format], limits: Limits, earlier: Sequence[Case] = ()
) -> list[Case]:
    """All formats at one size.

    Args:
        earlier: the cases of smaller sizes. What was stopped there is not tried.

    Raises:
        RuntimeError: two formats did not see the same examples.
    """
    cases = [Case(format, size, why_not=_why_not(format, earlier)) for format in formats]
    for turn in range(limits.turns):
        for case in random.Random(turn).sample(cases, len(cases)):
            if case.is_due(turn):
                print(f"{size}, turn {turn + 1} of {limits.turns}: {case.format.name}", file=sys.stderr)
                _run(case, turn, folder, limits)
        check_same(cases)
    return cases


def _why_not(format: Format, earlier: Sequence[Case]) -> str | None:
    if format.why_not_measured is not None:
        return format.why_not_measured
    stopped = next((case for case in earlier if case.format == format and case.why_not is not None), None)
    return stopped and f"not tried: {stopped.why_not} at {stopped.size.num_examples:,} examples"


def _run(case: Case, turn: int, folder: Path, limits: Limits) -> None:
    try:
        found = run_once(case.format, folder, case.size.name, limits.process_seconds)
    except NotMeasuredError as error:
        case.why_not = str(error)
    else:
        case.runs.append(Run(turn=turn, **found))


def run_once(format: Format, folder: Path, name: str, limit_seconds: float) -> dict:
    """Reads a format in a new process. Its files are made first, if need be, and read, so that none has colder ones.

    Raises:
        NotMeasuredError: it took too long to write or to read, or it failed.
    """
    environment = {**os.environ, "GROUPSTREAM_CACHE": str(folder / "cache"), "TF_CPP_MIN_LOG_LEVEL": "2"}
    try:
        start = time.perf_counter()
        _read_through(format.files(folder, name))
        print(f"  its files: {time.perf_counter() - start:.0f} s", file=sys.stderr)
        command = format.command(folder, name)
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, env=environment, timeout=limit_seconds
        )
    except TimeoutError as error:
        raise NotMeasuredError(str(error)) from error
    except subprocess.TimeoutExpired as error:
        raise NotMeasuredError(f"> {limit_seconds:.0f} s") from error
    except subprocess.CalledProcessError as error:
        said = str(error.stderr).strip().splitlines() or ["nothing"]
        raise NotMeasuredError(f"ended with {error.returncode}: {said[-1][:200]}") from error
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _read_through(path: Path) -> None:
    """Reads all files, and forgets them."""
    for file in [path] if path.is_file() else sorted(path.rglob("*")):
        if file.is_file():
            with open(file, "rb") as opened:
                while opened.read(_BLOCK_BYTES):
                    pass


def check_same(cases: Sequence[Case]) -> None:
    """Every run saw as many groups and examples as there are, and the same bytes as every other.

    Raises:
        RuntimeError: one did not.
    """
    seen = {run.seen: case.format.name for case in cases for run in case.runs}
    sizes = {(case.size.num_groups, case.size.num_examples) for case in cases}
    if len(seen) > 1 or {found[:2] for found in seen} - sizes:
        told = "; ".join(
            f"{name}: {groups:,}, {examples:,}, {count:,}" for (groups, examples, count), name in seen.items()
        )
        raise RuntimeError(f"formats differ in the groups, examples and bytes that they have: {told}")
