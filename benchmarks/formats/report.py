"""What was found, for people (Markdown) and for programs (JSON)."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from statistics import median

import psutil

from benchmarks.formats.formats import OURS
from benchmarks.formats.growth import Growth, growth_of
from benchmarks.formats.runs import Case, Limits
from benchmarks.reader import report

RESULTS = Path(__file__).parent / "results"
_HEADER = (
    "| format | kind | seconds, median | least | most | s per million examples | times groupstream | opening, s "
    "| peak memory, MB | before opening, MB |"
)


def keep(cases: Sequence[Case], about: str, command: str, limits: Limits, results: Path = RESULTS) -> None:
    """Prints the tables, and writes them with all runs to `formats.md` and `formats.json`."""
    growth, versions = growth_of(cases), versions_of(cases)
    named = machine()
    lines = [f"# formats\n\n{about.strip()}\n", f"`{command}`: {_told(named)}. {', '.join(versions)}.", ""]
    lines += _growth_table(growth, cases)
    for size, found in groupby(cases, key=lambda case: case.size):
        lines += ["", f"## {size}", "", _HEADER, "|" + "---|" * (_HEADER.count("|") - 1)]
        lines += _rows(list(found))
    results.mkdir(parents=True, exist_ok=True)
    report.keep("formats", lines, results)
    described = {
        "command": command,
        "machine": named,
        "versions": versions,
        "limits": asdict(limits),
        "growth": {name: asdict(one) for name, one in growth.items()},
        "cases": [_as_json(case, cases) for case in cases],
    }
    (results / "formats.json").write_text(json.dumps(described, indent=1) + "\n")


def machine() -> dict[str, str | int]:
    """What it ran on."""
    cpuinfo = Path("/proc/cpuinfo").read_text().splitlines()
    processor = next((line.partition(": ")[2] for line in cpuinfo if line.startswith("model name")), platform.machine())
    memory = psutil.virtual_memory().total
    return {"processor": processor, "cores": os.cpu_count() or 1, "memory_bytes": memory, "system": platform.system()}


def versions_of(cases: Sequence[Case]) -> list[str]:
    """Of Python here, and of each library as its own process told it."""
    libraries = sorted({run.library for case in cases for run in case.runs})
    return [f"Python {platform.python_version()}", *libraries]


def ratio_to_ours(case: Case, cases: Sequence[Case]) -> float | None:
    """Seconds of a format in those of ours, the median of the turns in which both ran."""
    ours = {
        run.turn: run.seconds for one in cases if one.size == case.size and one.format.name == OURS for run in one.runs
    }
    ratios = [run.seconds / ours[run.turn] for run in case.runs if run.turn in ours]
    return median(ratios) if ratios else None


def _told(named: dict[str, str | int]) -> str:
    return f"{named['processor']}, {named['cores']} cores, {int(named['memory_bytes']) / 2**30:.0f} GiB"


def _growth_table(growth: dict[str, Growth], cases: Sequence[Case]) -> list[str]:
    if not growth:
        return []
    kinds = {case.format.name: case.format.kind for case in cases}
    lines = ["| format | kind | exponent of time | between the two largest | up to |", "|---|---|---|---|---|"]
    return lines + [
        f"| {name} | {kinds[name]} | {one.exponent:.2f} | {one.last_exponent:.2f} | {one.num_examples[-1]:,} |"
        for name, one in growth.items()
    ]


def _rows(cases: Sequence[Case]) -> list[str]:
    return [_row(case, ratio_to_ours(case, cases)) for case in cases]


def _row(case: Case, ratio: float | None) -> str:
    named = f"| {case.format.name} | {case.format.kind} |"
    if not case.runs:
        return f"{named} {case.why_not}" + " |" * (_HEADER.count("|") - 3)
    seconds = [run.seconds for run in case.runs]
    opening = median(run.open_seconds for run in case.runs)
    peak, before = (max(getattr(run, name) for run in case.runs) / 1e6 for name in ("peak_bytes", "bytes_before"))
    return (
        f"{named} {_short(case.seconds)} | {_short(min(seconds))} | {_short(max(seconds))} "
        f"| {_short(case.seconds / case.size.num_examples * 1e6)} | {'' if ratio is None else _short(ratio)} "
        f"| {_short(opening)} | {peak:,.0f} | {before:,.0f} |"
    )


def _short(number: float) -> str:
    """Three digits, no exponent."""
    return f"{number:,.{max(0, 2 - math.floor(math.log10(number)))}f}"


def _as_json(case: Case, cases: Sequence[Case]) -> dict[str, object]:
    return {
        "format": case.format.name,
        "kind": case.format.kind,
        "num_examples": case.size.num_examples,
        "num_groups": case.size.num_groups,
        "why_not": case.why_not,
        "times_ours": ratio_to_ours(case, cases),
        "runs": [asdict(run) for run in case.runs],
    }
