"""Does time grow in a straight line, and memory not at all? `python -m benchmarks.pipeline.scale [FOLDER]`.

Builds of 1 KB text examples with two processes: 1 GB in 100,000 groups, 10 GB in a million, 10 GB of which one group is
half; and five million groups of one or two examples of 100 bytes. Seconds are without imports; memory is that of all
processes together (see memory.py), disk what the build's own files take at most, beside the source. The first case runs
before and after the others, since a machine is not always equally fast. Takes about 28 GB of disk, and gives it back.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from benchmarks.arguments import parser_of, results_folder
from benchmarks.pipeline.build import spec_of
from benchmarks.pipeline.make_data import Made, make_data
from benchmarks.pipeline.memory import Usage, watch
from benchmarks.pipeline.report import LIBRARIES, RESULTS, machine
from benchmarks.results import Case, Ratio, keep, ratio_of, result_of

WORKERS = 2
MEMORY_BYTES = 2_500_000_000  # what the build is told to keep to
MOST_BYTES = 3_000_000_000  # what it must not exceed
MOST_TIME = 1.25  # seconds a GB, against those at 1 GB
BASE = "million-1gb"
CASES = (BASE, "million-10gb", "hot-10gb", "tiny", BASE)


@dataclass(frozen=True)
class Row:
    """A case that was run."""

    made: Made
    used: Usage

    @property
    def seconds_a_gb(self) -> float:
        """Of payload."""
        return self.used.found["seconds"] / self.made.payload_bytes * 1e9


def main() -> None:
    """Makes each source, builds, deletes both; prints and keeps the table."""
    parser = parser_of(__doc__, has_part=True)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--memory", type=int, default=MEMORY_BYTES, help="bytes, the budget of the build")
    given = parser.parse_args()
    rows = []
    for case in given.cases:
        print(case, file=sys.stderr)
        rows.append((case, run(case, given.folder, given.memory, given.part)))
    result = result_of("pipeline.scale", __doc__, LIBRARIES, _figures(rows), _ratios(rows))
    is_whole = given.part == 1 and given.cases == CASES
    keep(result, _table(rows, given.memory), results_folder(given, RESULTS, is_whole))


def run(case: str, folder: Path, memory_bytes: int, part: float = 1.0) -> Row:
    """One case; nothing of it is left."""
    made = make_data(folder / "sources", case, part)
    spec = spec_of(made.source, "key", WORKERS, memory_bytes)
    try:
        with tempfile.TemporaryDirectory(dir=folder) as root:
            os.sync()  # so that writing the source to disk is over
            used = watch([sys.executable, "-m", "benchmarks.pipeline.build", root, json.dumps(spec)], [Path(root)])
    finally:
        shutil.rmtree(made.folder)
    assert (used.found["examples"], used.found["groups"]) == (made.num_examples, made.num_groups), used.output
    return Row(made, used)


def _figures(rows: Sequence[tuple[str, Row]]) -> Iterator[Case]:
    """Of each case; what ran twice has two turns."""
    for case in dict.fromkeys(case for case, _ in rows):
        runs = [row for name, row in rows if name == case]
        memory = tuple(row.used.peak_bytes / 1e6 for row in runs)
        yield Case(case=case, values=tuple(row.used.found["seconds"] for row in runs))
        yield Case(case=case, figure="time a GB", unit="s/GB", values=tuple(row.seconds_a_gb for row in runs))
        yield Case(case=case, figure="memory", unit="MB", values=memory, limit=MOST_BYTES / 1e6)
        disk = tuple(row.used.peak_disk_bytes / 1e6 for row in runs)
        yield Case(case=case, figure="disk", unit="MB", values=disk)


def _ratios(rows: Sequence[tuple[str, Row]]) -> list[Ratio]:
    """Of the time a GB to that of 1 GB."""
    others = [(case, row) for case, row in rows if case != BASE and BASE in dict(rows)]
    return [
        ratio_of(case, BASE, [row.seconds_a_gb], [_base(rows)], figure="time a GB", limit=_most_time(case))
        for case, row in others
    ]


def _base(rows: Sequence[tuple[str, Row]]) -> float:
    return mean([row.seconds_a_gb for case, row in rows if case == BASE] or [float("nan")])


def _most_time(case: str) -> float | None:
    """Time per GB says little where examples are a tenth as large."""
    return MOST_TIME if case.endswith("10gb") else None


def _table(rows: Sequence[tuple[str, Row]], memory_bytes: int) -> list[str]:
    base = _base(rows)
    about = f"{(__doc__ or '').strip()}\n\nMemory budget: {memory_bytes / 1e9:.1f} GB. {machine()}\n"
    lines = [f"# scale\n\n{about}"]
    lines += [
        "| case | GB | examples | groups | shards | seconds | s/GB | against 1 GB | peak memory, MB | disk, GB | |"
    ]
    lines += ["|---|---|---|---|---|---|---|---|---|---|---|"]
    return [*lines, *(_line(case, row, base) for case, row in rows)]


def _line(case: str, row: Row, base: float) -> str:
    made, found, peak = row.made, row.used.found, row.used.peak_bytes
    ratio = row.seconds_a_gb / base
    most_time = _most_time(case)
    is_kept = peak <= MOST_BYTES and (most_time is None or ratio <= most_time)
    return (
        f"| {case} | {made.payload_bytes / 1e9:.2f} | {made.num_examples:,} | {made.num_groups:,} | {found['shards']} "
        f"| {found['seconds']:.1f} | {row.seconds_a_gb:.1f} | {ratio:.2f} | {peak / 1e6:,.0f} "
        f"| {row.used.peak_disk_bytes / 1e9:.2f} | {'kept' if is_kept else 'MISSED'} |"
    )


if __name__ == "__main__":
    main()
