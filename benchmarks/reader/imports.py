"""How long a person waits before anything happens: `python -m benchmarks.reader.imports [FOLDER]`.

Whole processes, median of 15, less the time of `python -c pass` in the same turn; ratios are of whole processes. What
is not installed has no time.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time

from benchmarks.arguments import parser_of, results_folder
from benchmarks.machine import versions_line
from benchmarks.reader.make_version import make_version, zipf_sizes
from benchmarks.reader.report import LIBRARIES, RESULTS
from benchmarks.results import Case, NotMeasured, keep, ratio_of, result_of

TURNS = 15
BARE = "pass"
CASES = {
    "import groupstream": "import groupstream",
    "open a version": "import groupstream; groupstream.open('zipf')",
    "read the first group": "import groupstream; next(iter(groupstream.open('zipf')['train'])).table()",
    "groupstream --help": "import sys; sys.argv = ['groupstream', '--help']\nfrom groupstream.cli import main; main()",
    "import datasets": "import datasets",
    "import tensorflow": "import tensorflow",
}
OURS = [case for case, code in CASES.items() if "groupstream" in code]
PEERS = {"import datasets": "datasets", "import tensorflow": "tensorflow"}


def main() -> None:
    """Times all, prints and keeps the table."""
    parser = parser_of(__doc__)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--turns", type=int, default=TURNS)
    given = parser.parse_args()
    make_version(given.folder, "zipf", zipf_sizes(100_000, 8_500), 512)
    os.environ["GROUPSTREAM_ROOT"] = str(given.folder)
    missing = [case for case in given.cases if case in PEERS and not importlib.util.find_spec(PEERS[case])]
    took = measure([case for case in given.cases if case not in missing], given.turns)
    ratios = [
        ratio_of(case, peer, took[case], took[peer], figure="time of the process")
        for peer in PEERS
        if peer in took
        for case in OURS
        if case in took
    ]
    result = result_of(
        "reader.imports",
        __doc__,
        LIBRARIES,
        [Case(case=case, values=_less(seconds, took[BARE])) for case, seconds in took.items() if case != BARE],
        ratios,
        [NotMeasured(what=case, why=f"{PEERS[case]} is not installed") for case in missing],
    )
    lines = [f"# imports\n\n{result.about}\n\n{versions_line(LIBRARIES)}\n", "| what | seconds |", "|---|---|"]
    lines += [f"| {case.case} | {case.median:.3f} |" for case in result.cases]
    keep(result, lines, results_folder(given, RESULTS, is_whole=set(given.cases) == set(CASES)))


def measure(cases: list[str], turns: int) -> dict[str, list[float]]:
    """The seconds of the process of each case, and of one that does nothing, in each turn."""
    codes = {BARE: BARE} | {case: CASES[case] for case in cases}
    took: dict[str, list[float]] = {case: [] for case in codes}
    for turn in range(turns):
        print(f"turn {turn + 1} of {turns}", file=sys.stderr)
        for case, code in codes.items():
            took[case].append(_seconds(code))
    return took


def _less(seconds: list[float], bare: list[float]) -> tuple[float, ...]:
    return tuple(a - b for a, b in zip(seconds, bare, strict=True))


def _seconds(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
