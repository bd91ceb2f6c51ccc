"""Grouping 1 KB text examples, against sorting them with DuckDB: `python -m benchmarks.pipeline.sort_peers [FOLDER]`.

1.5 GB and 5 GB in 100,000 Zipf-sized groups, in Parquet files. DuckDB reads them, orders them by their group and writes
Parquet, with two threads and a memory limit of 2 GB. groupstream makes its shards of the same files, with two processes
and a memory budget of its own: TFRecords with their CRCs and checksums, the index, word counts, statistics. Both run in
turns, each in a process of its own, on the same disk, and the second first in every other turn. Seconds are without the
imports of the process that is started, but with starting the workers; the last column has whole processes. Memory: see
memory.py. Takes about 14 GB of disk.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.arguments import parser_of, results_folder
from benchmarks.pipeline.build import spec_of
from benchmarks.pipeline.duckdb_sort import num_sorted
from benchmarks.pipeline.make_data import Made, make_data
from benchmarks.pipeline.memory import Usage, watch
from benchmarks.pipeline.report import LIBRARIES, RESULTS, machine
from benchmarks.results import Case as Figure
from benchmarks.results import Ratio, keep, ratio_of, result_of

MEMORY_BYTES = 2_000_000_000
WORKERS = 2
TURNS = {"zipf-1.5gb": 3, "zipf-5gb": 2}

Case = Callable[[Made, Path], Usage]
Used = dict[str, list[Usage]]  # by program, of each turn


def duckdb(made: Made, folder: Path) -> Usage:
    """Sorts with DuckDB; the result is looked at when the clock has stopped."""
    [source] = made.source["paths"]  # type: ignore[misc]
    target = folder / "sorted.parquet"
    used = watch([sys.executable, "-m", "benchmarks.pipeline.duckdb_sort", source, str(target), str(folder)], [folder])
    assert num_sorted(target) == made.num_examples
    return used


def groupstream(made: Made, folder: Path, memory_bytes: int = MEMORY_BYTES) -> Usage:
    """Builds; what came out is counted by the build."""
    spec = spec_of(made.source, "key", WORKERS, memory_bytes)
    used = watch([sys.executable, "-m", "benchmarks.pipeline.build", str(folder), json.dumps(spec)], [folder])
    assert (used.found["examples"], used.found["groups"]) == (made.num_examples, made.num_groups), used.output
    return used


def main() -> None:
    """Makes what is missing, runs both in turns, prints and keeps the tables."""
    parser = parser_of(__doc__, has_part=True)
    parser.add_argument("--sources", nargs="+", choices=TURNS, default=list(TURNS))
    parser.add_argument("--turns", type=int, help=f"of each source; else {TURNS}")
    parser.add_argument("--memory", type=int, default=MEMORY_BYTES, help="bytes, the budget of the build")
    given = parser.parse_args()
    found: dict[str, tuple[Made, Used]] = {}
    for name in given.sources:
        made = make_data(given.folder / "sources", name, given.part)
        found[name] = made, compare(made, given.folder, given.turns or TURNS[name], given.memory)
        shutil.rmtree(made.folder)
    ratios = [ratio for name, (_, used) in found.items() for ratio in ratios_of(name, used)]
    figures = [figure for name, (_, used) in found.items() for figure in figures_of(name, used)]
    result = result_of("pipeline.sort_peers", __doc__, LIBRARIES, figures, ratios)
    about = f"{result.about}\n\nMemory budget of the build: {given.memory / 1e9:.2f} GB. {machine()}"
    lines = [f"# sort_peers\n\n{about}"]
    lines += [line for made, used in found.values() for line in _tables(made, used)]
    keep(result, lines, results_folder(given, RESULTS, is_whole=given.part == 1 and set(found) == set(TURNS)))


def compare(made: Made, folder: Path, turns: int, memory_bytes: int) -> Used:
    """Both programs on one source."""
    cases: dict[str, Case] = {"duckdb": duckdb, "groupstream": partial(groupstream, memory_bytes=memory_bytes)}
    used: Used = {name: [] for name in cases}
    for turn in range(turns):
        for name in list(cases) if turn % 2 == 0 else reversed(cases):
            print(f"{Path(made.folder).name}, turn {turn + 1} of {turns}: {name}", file=sys.stderr)
            used[name].append(_run(cases[name], made, folder))
    return used


def _run(case: Case, made: Made, folder: Path) -> Usage:
    with tempfile.TemporaryDirectory(dir=folder) as place:
        os.sync()  # what the case before wrote is not written while this one runs
        return case(made, Path(place))


def ratios_of(source: str, used: Used) -> list[Ratio]:
    """Seconds of the same turn, and memory of the worst turn of each."""
    seconds = [[run.found["seconds"] for run in used[name]] for name in ("groupstream", "duckdb")]
    memory = [[max(run.peak_bytes for run in used[name]) / 1e6] for name in ("groupstream", "duckdb")]
    names = f"groupstream, {source}", f"duckdb, {source}"
    return [ratio_of(*names, *seconds, limit=1), ratio_of(*names, *memory, figure="memory", limit=1)]


def figures_of(source: str, used: Used) -> list[Figure]:
    """Of each program, in each turn."""
    return [
        figure
        for name, runs in used.items()
        for figure in (
            Figure(case=f"{name}, {source}", values=tuple(run.found["seconds"] for run in runs)),
            _figure(f"{name}, {source}", "memory", "MB", [run.peak_bytes / 1e6 for run in runs]),
            _figure(f"{name}, {source}", "disk", "MB", [run.peak_disk_bytes / 1e6 for run in runs]),
            _figure(f"{name}, {source}", "time of the process", "s", [run.seconds for run in runs]),
        )
    ]


def _figure(case: str, figure: str, unit: str, values: list[float]) -> Figure:
    return Figure(case=case, figure=figure, unit=unit, values=tuple(values))


def _tables(made: Made, used: Used) -> list[str]:
    payload = made.payload_bytes
    lines = [f"\n## {payload / 1e9:.2g} GB, {made.num_examples:,} examples, {made.num_groups:,} groups\n"]
    lines += ["| case | seconds, median | least | most | MB/s | peak memory, MB | disk, MB | whole process, s |"]
    lines += ["|---|---|---|---|---|---|---|---|"]
    for name, runs in used.items():
        seconds = [run.found["seconds"] for run in runs]
        lines.append(
            f"| {name} | {median(seconds):.1f} | {min(seconds):.1f} | {max(seconds):.1f} "
            f"| {payload / median(seconds) / 1e6:.0f} | {max(r.peak_bytes for r in runs) / 1e6:,.0f} "
            f"| {max(r.peak_disk_bytes for r in runs) / 1e6:,.0f} | {median(r.seconds for r in runs):.1f} |"
        )
    speed, memory = ratios_of("", used)
    lines += ["\n| groupstream / duckdb | ratio | limit | |", "|---|---|---|---|"]
    return [*lines, _ratio("seconds, median of the turns", speed), _ratio("peak memory", memory)]


def _ratio(what: str, ratio: Ratio) -> str:
    return f"| {what} | {ratio.median:.2f} | {ratio.limit:.0f} | {'kept' if ratio.is_kept else 'MISSED'} |"


if __name__ == "__main__":
    main()
