"""What the tables of the pipeline's benchmarks have in common."""

from __future__ import annotations

from pathlib import Path

from benchmarks.machine import versions_line

RESULTS = Path(__file__).parent / "results"
LIBRARIES = ("apache-beam", "numpy", "pyarrow", "duckdb", "tensorflow-datasets")


def machine() -> str:
    """What it ran on, in one line."""
    return versions_line(LIBRARIES)
