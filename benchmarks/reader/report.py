"""How a benchmark of the reader says what it found: a table of seconds, and one of ratios with their limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import versions_line
from benchmarks.results import Case, NotMeasured, Ratio, keep, ratio_of, result_of

RESULTS = Path(__file__).parent / "results"
LIBRARIES = ("numpy", "pyarrow", "datasets", "tensorflow-cpu", "torch")


@dataclass(frozen=True)
class Limit:
    """A promise: case / peer is at most so much; None only reports the ratio."""

    case: str
    peer: str
    at_most: float | None


def report(
    name: str,
    about: str | None,
    seconds: Mapping[str, Sequence[float]],
    limits: Sequence[Limit],
    folder: Path | None,
    *,
    more: Iterable[Case] = (),
    not_measured: Iterable[NotMeasured] = (),
) -> None:
    """Prints both tables and keeps them.

    Args:
        seconds: of each case, in each turn.
        more: cases with other figures, which stand in the JSON only.
        folder: where; None keeps nothing.
    """
    timed = [Case(case=case, values=tuple(values)) for case, values in seconds.items()]
    ratios = [_ratio(limit, seconds) for limit in limits if {limit.case, limit.peer} <= set(seconds)]
    result = result_of(name, about, LIBRARIES, [*timed, *more], ratios, not_measured)
    lines = [f"# {name.rpartition('.')[2]}", "", result.about, "", versions_line(LIBRARIES), ""]
    lines += ["| case | seconds, median | least | most |", "|---|---|---|---|"]
    lines += [f"| {c.case} | {c.median:.3f} | {min(c.values):.3f} | {max(c.values):.3f} |" for c in timed]
    lines += ["", "| ratio | median | limit | |", "|---|---|---|---|"]
    lines += [_row(ratio) for ratio in ratios]
    keep(result, lines, folder)


def _ratio(limit: Limit, seconds: Mapping[str, Sequence[float]]) -> Ratio:
    return ratio_of(limit.case, limit.peer, seconds[limit.case], seconds[limit.peer], limit=limit.at_most)


def _row(ratio: Ratio) -> str:
    shown = f"{ratio.median:.2f}" if ratio.median >= 0.1 else f"1/{1 / ratio.median:.0f}"
    if ratio.limit is None:
        return f"| {ratio.case} / {ratio.peer} | {shown} | | |"
    bound = f"{ratio.limit:.2g}" if ratio.limit >= 0.1 else f"1/{1 / ratio.limit:.0f}"
    return f"| {ratio.case} / {ratio.peer} | {shown} | {bound} | {'kept' if ratio.is_kept else 'MISSED'} |"
