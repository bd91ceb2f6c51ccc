"""Tables of the pipeline's benchmarks, kept beside the code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.reader import report

RESULTS = Path(__file__).parent / "results"
_LIBRARIES = ("apache-beam", "numpy", "pyarrow", "duckdb", "tensorflow-datasets")


def machine() -> str:
    """What it ran on, in one line."""
    return report.machine(_LIBRARIES)


def keep(name: str, lines: Sequence[str], is_whole: bool = True) -> None:
    """Prints the lines, and writes them to `results/<name>.md` unless only a part was tried."""
    if is_whole:
        report.keep(name, lines, RESULTS)
    else:
        print("\n".join(lines))
