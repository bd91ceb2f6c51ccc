"""How a benchmark says what it found: a table of seconds, a table of ratios with their limits, kept beside the
code."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from statistics import median

RESULTS = Path(__file__).parent / "results"
_LIBRARIES = ("numpy", "pyarrow", "datasets", "tensorflow-cpu", "torch")


@dataclass(frozen=True)
class Limit:
    """A promise: case / peer is at most so much; None only reports the ratio."""

    case: str
    peer: str
    at_most: float | None


def report(name: str, about: str, seconds: Mapping[str, Sequence[float]], limits: Sequence[Limit]) -> None:
    """Prints both tables and keeps them as `results/<name>.md`."""
    lines = [
        f"# {name}",
        "",
        about.strip(),
        "",
        machine(),
        "",
        "| case | seconds, median | least | most |",
        "|---|---|---|---|",
    ]
    lines += [f"| {c} | {median(s):.3f} | {min(s):.3f} | {max(s):.3f} |" for c, s in seconds.items()]
    lines += ["", "| ratio | median | limit | |", "|---|---|---|---|"]
    lines += [_ratio(limit, seconds) for limit in limits if limit.peer in seconds]
    keep(name, lines)


def keep(name: str, lines: Sequence[str], results: Path = RESULTS) -> None:
    """Prints the lines and writes them to `results/<name>.md`."""
    text = "\n".join(lines) + "\n"
    print(text)
    results.mkdir(exist_ok=True)
    (results / f"{name}.md").write_text(text)


def machine(libraries: Sequence[str] = _LIBRARIES) -> str:
    """What it ran on, in one line."""
    import os

    versions = []
    for library in libraries:
        try:
            versions.append(f"{library} {metadata.version(library)}")
        except metadata.PackageNotFoundError:
            continue
    return f"Python {platform.python_version()}, {os.cpu_count()} cores, {', '.join(versions)}."


def _ratio(limit: Limit, seconds: Mapping[str, Sequence[float]]) -> str:
    ratio = median(a / b for a, b in zip(seconds[limit.case], seconds[limit.peer], strict=True))
    shown = f"{ratio:.2f}" if ratio >= 0.1 else f"1/{1 / ratio:.0f}"
    if limit.at_most is None:
        return f"| {limit.case} / {limit.peer} | {shown} | | |"
    bound = f"{limit.at_most:.2g}" if limit.at_most >= 0.1 else f"1/{1 / limit.at_most:.0f}"
    return f"| {limit.case} / {limit.peer} | {shown} | {bound} | {'kept' if ratio <= limit.at_most else 'MISSED'} |"
