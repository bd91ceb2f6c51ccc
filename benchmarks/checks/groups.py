"""Checks of 5 million groups: seconds and memory. `python -m benchmarks.checks.groups [FOLDER] [--part 0.01]`.

Every kind of check is asked, on three splits whose groups have up to three of 20 labels, with a tenth of the ids
expected by a file. Each run is a process of its own; its seconds and its peak of memory are from its start to its end,
and so count what is imported. A fifth of the groups is measured as well: the difference says what a group costs. Takes
0.6 GB of disk.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from benchmarks.arguments import parser_of, results_folder
from benchmarks.checks.group_tables import make_group_tables
from benchmarks.machine import versions_line
from benchmarks.pipeline.memory import Usage, watch
from benchmarks.results import Case, keep, result_of

NUM_GROUPS = 5_000_000
MAX_SECONDS = 60
MAX_PEAK_BYTES = 600_000_000
MAX_BYTES_A_GROUP = 32
RESULTS = Path(__file__).parent / "results"
_LIBRARIES = ("great-expectations", "pandas", "numpy", "pyarrow")


def main() -> None:
    """Makes both versions, checks them, prints the table, and keeps it unless a part was asked for."""
    parser = parser_of(__doc__, has_part=True)
    parser.add_argument("--check", action="store_true", help=argparse.SUPPRESS)  # what the others start
    given = parser.parse_args()
    if given.check:
        print(json.dumps(check(given.folder)))
        return
    counts = [int(NUM_GROUPS * given.part * share) for share in (0.2, 1.0)]
    runs = {count: _measured(given.folder / f"groups-{count}", count) for count in counts}
    result = result_of("checks.groups", __doc__, _LIBRARIES, cases_of(runs))
    keep(result, table(runs), results_folder(given, RESULTS, is_whole=given.part == 1))


def check(folder: Path) -> dict[str, float]:
    """Checks a version; the seconds of that alone, and what was found."""
    from groupstream import layout
    from groupstream.dataset import Dataset
    from groupstream.manifest import Manifest
    from groupstream.refs import Location
    from groupstream.stores import LocalStore
    from validation import GroupChecks
    from validation.groups import check_groups

    path = folder / layout.MANIFEST
    manifest = Manifest.from_json(path.read_bytes(), str(path))
    limits = {
        "min_groups": 10,
        "max_groups": 10**9,
        "max_examples": 9_999,  # which the largest break, so that offenders are found
        "min_bytes": 1,
        "max_bytes": 10**9,
        "min_words": 1,
        "max_words": 10**9,
        "percentiles": [
            {"of": of, "percent": percent, "min": 1} for of in ("examples", "bytes", "words") for percent in (50, 99)
        ],
        "max_share_of_largest": 0.5,
        "max_share_of_singletons": 0.9,
        "max_label_distance": 0.99,
        "min_labels": 1,
        "expected_file": str(folder / "expected.txt"),
    }
    dataset = Dataset(Location(LocalStore(folder.parent), folder.name), manifest)
    start = time.perf_counter()
    outcome = check_groups(GroupChecks.model_validate(limits), dataset, exclusive=True)
    return {
        "seconds": time.perf_counter() - start,
        "checks": len(outcome.results),
        "failed": sum(not result.passed for result in outcome.results),
    }


def cases_of(runs: dict[int, Usage]) -> list[Case]:
    """Seconds and memory of both counts, and what a group takes; of the larger ones a limit."""
    few, first = min(runs.items())
    return [
        Case(case=_every_check(few), values=(first.seconds,)),
        Case(case=_every_check(few), figure="memory", unit="MB", values=(first.peak_bytes / 1e6,)),
        *promises_of(runs).values(),
    ]


def promises_of(runs: dict[int, Usage]) -> dict[str, Case]:
    """What has a limit, by its words in the table."""
    (few, first), (many, second) = sorted(runs.items())
    each = (second.peak_bytes - first.peak_bytes) / (many - few)
    peak = (second.peak_bytes / 1e6,)
    return {
        f"seconds, {many:,} groups": Case(case=_every_check(many), values=(second.seconds,), limit=MAX_SECONDS),
        f"peak MB, {many:,} groups": Case(
            case=_every_check(many), figure="memory", unit="MB", values=peak, limit=MAX_PEAK_BYTES / 1e6
        ),
        "bytes of memory that one more group takes": Case(
            case="one more group", figure="memory", unit="bytes", values=(each,), limit=MAX_BYTES_A_GROUP
        ),
    }


def _every_check(num_groups: int) -> str:
    return f"every check of {num_groups:,} groups"


def table(runs: dict[int, Usage]) -> list[str]:
    """What was measured, and whether the promises are kept."""
    return [
        f"# groups\n\n{(__doc__ or '').strip()}\n\n{versions_line(_LIBRARIES)}\n",
        "| groups | checks | seconds | of these, checking | peak MB |\n|---|---|---|---|---|",
        *(
            f"| {count:,} | {run.found['checks']} | {run.seconds:.1f} | {run.found['seconds']:.1f} "
            f"| {run.peak_bytes / 1e6:.0f} |"
            for count, run in sorted(runs.items())
        ),
        "\n| | found | limit | |\n|---|---|---|---|",
        *(
            f"| {what} | {found.median:.1f} | {found.limit:.0f} | {'kept' if found.is_kept else 'MISSED'} |"
            for what, found in promises_of(runs).items()
        ),
    ]


def _measured(folder: Path, num_groups: int) -> Usage:
    if not folder.exists():
        print(f"making {num_groups:,} groups", file=sys.stderr)
        make_group_tables(folder, num_groups)
    used = watch([sys.executable, "-m", "benchmarks.checks.groups", "--check", str(folder)])
    if used.found["failed"] != 1:
        raise RuntimeError(f"{used.found['failed']} of the checks failed, not only that of max_examples")
    return used


if __name__ == "__main__":
    main()
