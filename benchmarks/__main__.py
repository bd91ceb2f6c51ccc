"""All benchmarks, one after the other: `python -m benchmarks --short|--full [--only NAME] FOLDER`.

Each runs in a process of its own. One that fails or lacks something does not stop the others; at the end it says which
did. A short run takes five to eight minutes altogether on two cores and keeps its results below FOLDER/short, which
`python -m benchmarks.guard` compares with the kept ones; a full run takes hours and up to 28 GB, and keeps its results
beside each benchmark.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.suite import SUITE, Benchmark


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs those that were asked for; 1 if one failed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--short", action="store_true", help="those that guard what matters, on little data")
    how.add_argument("--full", action="store_true", help="all of them")
    names = [each.name for each in SUITE]
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=f"one of {', '.join(names)}")
    parser.add_argument("folder", type=Path, help="where data, and results of short runs, are kept")
    given = parser.parse_args(arguments)
    chosen = [each for each in SUITE if each.name in (given.only or each.name) and (given.full or each.short)]
    return run_all(chosen, given.folder.resolve(), is_short=given.short)


def run_all(benchmarks: Sequence[Benchmark], folder: Path, *, is_short: bool) -> int:
    """One after the other, then a line for each; 1 if one failed."""
    folder.mkdir(parents=True, exist_ok=True)
    outcomes = {}
    for number, benchmark in enumerate(benchmarks, 1):
        takes = "" if is_short else f", about {benchmark.minutes:g} min"
        _say(f"\n[{number}/{len(benchmarks)}] {benchmark.name}: {benchmark.about}{takes}")
        outcomes[benchmark.name] = run(benchmark, folder, is_short=is_short)
        _say(f"{benchmark.name}: {outcomes[benchmark.name]}")
    _say("\nAll:")
    for name, outcome in outcomes.items():
        _say(f"  {name}: {outcome}")
    return int(any(outcome.startswith("FAILED") for outcome in outcomes.values()))


def run(benchmark: Benchmark, folder: Path, *, is_short: bool) -> str:
    """How it ended, in words."""
    why_not = benchmark.why_not(folder, is_short=is_short)
    if is_short:
        benchmark.short_file(folder).unlink(missing_ok=True)  # an old result is not one of this run
    if why_not is not None:
        return f"skipped: {why_not}"
    command = [sys.executable, "-m", benchmark.module, *benchmark.arguments(folder, is_short=is_short)]
    begun = time.perf_counter()
    status = subprocess.run(command, check=False).returncode
    taken = f"{time.perf_counter() - begun:.0f} s"
    return f"done in {taken}" if status == 0 else f"FAILED after {taken} with status {status}"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
