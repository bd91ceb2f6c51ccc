"""Does time grow in a straight line, and memory not at all? `python -m benchmarks.reader.scale [FOLDER]`.

Each version is read group by group, every feature decoded and every CRC checked, in a process of its own, three
times; the median counts (of the largest, one run). Beside it the same records with CRC checks only. Takes up to 6 GB
of disk at a time.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import numpy as np

from benchmarks.arguments import parser_of, results_folder
from benchmarks.machine import versions_line
from benchmarks.reader.iterate import run_case
from benchmarks.reader.make_version import make_version, zipf_sizes
from benchmarks.reader.report import LIBRARIES, RESULTS
from benchmarks.results import Case, keep, result_of

TURNS = 3
VERSIONS: dict[str, tuple[np.ndarray, int]] = {
    "zipf": (zipf_sizes(100_000, 8_500), 512),
    "zipf-10x": (zipf_sizes(1_000_000, 85_000), 512),
    "ones": (np.ones(850_000, np.int64), 512),
    "zipf-2k": (zipf_sizes(100_000, 8_500), 2_048),
    "zipf-20k": (zipf_sizes(100_000, 8_500), 20_480),
    "one-group": (np.array([9_700_000]), 512),
}
CASES = ("raw_blocks", "stored", "shuffled")


def main() -> None:
    """Makes each version, times it, prints and keeps the table."""
    given = parser_of(__doc__).parse_args()
    folder = given.folder
    os.environ["GROUPSTREAM_CACHE"] = str(folder / "cache")
    cases: list[Case] = []
    lines = [
        "| version | groups | examples | MB | case | seconds | MB/s | us a group | peak MB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, (sizes, example_bytes) in VERSIONS.items():
        size = _made(folder, name, sizes, example_bytes)
        for case in CASES:
            seconds, memory = _measured(folder, name, sizes, size, case)
            cases += [seconds, memory]
            lines.append(_row(name, sizes, size, case, seconds.median, memory.median))
            print(lines[-1], file=sys.stderr)
        if size > 1 << 30:
            shutil.rmtree(folder / name)
    result = result_of("reader.scale", __doc__, LIBRARIES, cases)
    head = f"# scale\n\n{result.about}\n\n{versions_line(LIBRARIES)}\n"
    keep(result, [head, *lines], results_folder(given, RESULTS))


def _made(folder: Path, name: str, sizes: np.ndarray, example_bytes: int) -> int:
    """Makes the version; its bytes."""
    print(f"making {name}", file=sys.stderr)
    path = make_version(folder, name, sizes, example_bytes)
    return sum(shard.stat().st_size for shard in path.glob("*.tfrecord"))


def _measured(folder: Path, name: str, sizes: np.ndarray, size: int, case: str) -> tuple[Case, Case]:
    """The seconds of each turn, and the peak memory of all."""
    runs = [run_case(case, folder, name) for _ in range(TURNS if size < 1 << 31 else 1)]
    assert {run["examples"] for run in runs} == {sizes.sum()}
    named = f"{case}, {name}"
    peak = max(run["peak_bytes"] for run in runs) / 1e6
    return (
        Case(case=named, values=tuple(run["seconds"] for run in runs)),
        Case(case=named, figure="memory", unit="MB", values=(peak,)),
    )


def _row(name: str, sizes: np.ndarray, size: int, case: str, seconds: float, peak_mb: float) -> str:
    per_group = seconds / len(sizes) * 1e6
    return (
        f"| {name} | {len(sizes):,} | {sizes.sum():,} | {size / 1e6:,.0f} | {case} | {seconds:.2f} "
        f"| {size / 1e6 / seconds:,.0f} | {per_group:,.1f} | {peak_mb:.0f} |"
    )


if __name__ == "__main__":
    main()
