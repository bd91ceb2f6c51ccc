"""Grouping 1 KB text examples, against sorting them with DuckDB: `python -m benchmarks.pipeline.sort_peers [FOLDER]`.

1.5 GB and 5 GB in 100,000 Zipf-sized groups, in Parquet files. DuckDB reads them, orders them by their group and writes
Parquet, with two threads and a memory limit of 2 GB. groupstream makes its shards of the same files, with two processes
and a memory budget of its own: TFRecords with their CRCs and checksums, the index, word counts, statistics. Both run in
turns, each in a process of its own, on the same disk, and the second first in every other turn. Seconds are without the
imports of the process that is started, but with starting the workers; the last column has whole processes. Memory: see
memory.py. Takes about 14 GB of disk.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.pipeline.build import spec_of
from benchmarks.pipeline.duckdb_sort import num_sorted
from benchmarks.pipeline.make_data import Made, make_data
from benchmarks.pipeline.memory import Usage, watch
from benchmarks.pipeline.report import keep, machine

MEMORY_BYTES = 2_000_000_000
WORKERS = 2
TURNS = {"zipf-1.5gb": 3, "zipf-5gb": 2}

Case = Callable[[Made, Path], Usage]


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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=Path(tempfile.gettempdir()) / "groupstream-bench")
    parser.add_argument("--part", type=float, default=1.0, help="so much of each source, to try it out")
    parser.add_argument("--memory", type=int, default=MEMORY_BYTES, help="bytes, the budget of the build")
    given = parser.parse_args()
    about = f"{(__doc__ or '').strip()}\n\nMemory budget of the build: {given.memory / 1e9:.2f} GB. {machine()}"
    lines = [f"# sort_peers\n\n{about}"]
    for name, turns in TURNS.items():
        made = make_data(given.folder / "sources", name, given.part)
        lines += compare(made, given.folder, turns, given.memory)
        shutil.rmtree(made.folder)
    keep("sort_peers", lines, is_whole=given.part == 1)


def compare(made: Made, folder: Path, turns: int, memory_bytes: int) -> list[str]:
    """The tables of one source."""
    cases: dict[str, Case] = {"duckdb": duckdb, "groupstream": partial(groupstream, memory_bytes=memory_bytes)}
    used: dict[str, list[Usage]] = {name: [] for name in cases}
    for turn in range(turns):
        for name in list(cases) if turn % 2 == 0 else reversed(cases):
            print(f"{Path(made.folder).name}, turn {turn + 1} of {turns}: {name}", file=sys.stderr)
            used[name].append(_run(cases[name], made, folder))
    return _tables(made, used)


def _run(case: Case, made: Made, folder: Path) -> Usage:
    with tempfile.TemporaryDirectory(dir=folder) as place:
        os.sync()  # what the case before wrote is not written while this one runs
        return case(made, Path(place))


def _tables(made: Made, used: dict[str, list[Usage]]) -> list[str]:
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
    speed = median(a.found["seconds"] / b.found["seconds"] for a, b in _pairs(used))
    memory = max(r.peak_bytes for r in used["groupstream"]) / max(r.peak_bytes for r in used["duckdb"])
    lines += ["\n| groupstream / duckdb | ratio | limit | |", "|---|---|---|---|"]
    return [*lines, _ratio("seconds, median of the turns", speed), _ratio("peak memory", memory)]


def _pairs(used: dict[str, list[Usage]]) -> list[tuple[Usage, Usage]]:
    return list(zip(used["groupstream"], used["duckdb"], strict=True))


def _ratio(what: str, ratio: float) -> str:
    return f"| {what} | {ratio:.2f} | 1 | {'kept' if ratio <= 1 else 'MISSED'} |"


if __name__ == "__main__":
    main()
