"""What was found, for people (Markdown) and for programs (JSON)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from statistics import median

from benchmarks.formats.formats import OURS
from benchmarks.formats.growth import Growth, growth_of
from benchmarks.formats.runs import Case, Limits
from benchmarks.numbers import three_digits
from benchmarks.results import Better, NotMeasured, Ratio, Result, result_of
from benchmarks.results import Case as Figure
from benchmarks.results import keep as keep_result

RESULTS = Path(__file__).parent / "results"
_HEADER = (
    "| format | kind | seconds, median | least | most | s per million examples | times groupstream | opening, s "
    "| peak memory, MB | before opening, MB |"
)


def keep(cases: Sequence[Case], about: str | None, limits: Limits, results: Path | None = RESULTS) -> None:
    """Prints the tables, and writes them with all runs to `formats.md` and `formats.json`; None keeps nothing."""
    growth = growth_of(cases)
    result = _result(cases, about, limits, growth)
    versions = (f"{name} {version}" for name, version in result.versions.items())
    lines = [f"# formats\n\n{result.about}\n", f"`{result.command}`: {result.machine}. {', '.join(versions)}.", ""]
    lines += _growth_table(growth, cases)
    for size, found in groupby(cases, key=lambda case: case.size):
        lines += ["", f"## {size}", "", _HEADER, "|" + "---|" * (_HEADER.count("|") - 1)]
        lines += _rows(list(found))
    keep_result(result, lines, results)


def _result(cases: Sequence[Case], about: str | None, limits: Limits, growth: dict[str, Growth]) -> Result:
    details = {
        "limits": asdict(limits),
        "growth": {name: asdict(one) for name, one in growth.items()},
        "cases": [_as_json(case, cases) for case in cases],
    }
    measured = [case for case in cases if case.runs]
    return result_of(
        "formats",
        about,
        _versions_of(cases),
        [*_exponents(growth), *(figure for case in measured for figure in _figures(case))],
        [ratio for case in measured if (ratio := _ratio(case, cases)) is not None],
        list(dict.fromkeys(_without(case) for case in cases if not case.runs)),
        details=details,
    )


def _without(case: Case) -> NotMeasured:
    """What is not installed is missing at every size."""
    why = case.why_not or ""
    installed = why.removeprefix("not measured: ")
    return NotMeasured(what=case.format.name, why=f"{case.size}: {why}" if installed == why else installed)


def _versions_of(cases: Sequence[Case]) -> dict[str, str]:
    """Of each library as its own process told it."""
    libraries = sorted({run.library for case in cases for run in case.runs})
    return {name: version for name, _, version in (library.rpartition(" ") for library in libraries)}


def _exponents(growth: dict[str, Growth]) -> Iterator[Figure]:
    for name, one in growth.items():
        yield Figure(case=name, figure="growth of time", unit="power of examples", values=(one.exponent,))


def _figures(case: Case) -> Iterator[Figure]:
    at, name = case.size.num_examples, case.format.name
    yield Figure(case=name, values=tuple(run.seconds for run in case.runs), at=at)
    yield Figure(case=name, figure="opening", values=tuple(run.open_seconds for run in case.runs), at=at)
    peaks = tuple(run.peak_bytes / 1e6 for run in case.runs)
    yield Figure(case=name, figure="memory", unit="MB", values=peaks, at=at)


def _ratio(case: Case, cases: Sequence[Case]) -> Ratio | None:
    values = ratios_to_ours(case, cases)
    if case.format.name == OURS or not values:
        return None
    better: Better = "lower" if case.format.name.startswith(OURS) else "higher"  # another way of ours is no peer
    return Ratio(case=case.format.name, peer=OURS, values=values, better=better, at=case.size.num_examples)


def ratio_to_ours(case: Case, cases: Sequence[Case]) -> float | None:
    """Seconds of a format in those of ours, the median of the turns in which both ran."""
    ratios = ratios_to_ours(case, cases)
    return median(ratios) if ratios else None


def ratios_to_ours(case: Case, cases: Sequence[Case]) -> tuple[float, ...]:
    """Of each turn in which both ran."""
    ours = {
        run.turn: run.seconds for one in cases if one.size == case.size and one.format.name == OURS for run in one.runs
    }
    return tuple(run.seconds / ours[run.turn] for run in case.runs if run.turn in ours)


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
    of_a_million = case.seconds / case.size.num_examples * 1e6
    times = [three_digits(number) for number in (case.seconds, min(seconds), max(seconds), of_a_million)]
    cells = [*times, "" if ratio is None else three_digits(ratio), three_digits(opening)]
    return f"{named} {' | '.join(cells)} | {peak:,.0f} | {before:,.0f} |"


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
