"""What it costs to read back what a build wrote: `python -m benchmarks.checks.files [FOLDER] [--part 0.1]`.

600,000 texts of 0.5 KB in Parquet files are built in one process, once in 20,000 groups and once with nearly each in a
group of its own; then the files of the draft are checked with samples of 16, 64 and 256 MiB, as the build does before
it publishes. The limit is what we aim at for the default. Takes 1.5 GB of disk.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.arguments import parser_of, results_folder
from benchmarks.checks.examples import NUM_EXAMPLES, RESULTS, make_source
from benchmarks.machine import versions_line
from benchmarks.pipeline.build import import_all, spec_of
from benchmarks.results import Ratio, keep, result_of
from groupstream.stores import LocalStore
from pipelines.draft import draft_version
from pipelines.integrity import SAMPLE_BYTES, check_draft
from pipelines.partition import partition
from pipelines.plan import make_plan
from pipelines.staging import staging_area
from specs import Spec

FEATURES = {"30 texts a group": "key", "one text a group": "text"}
SAMPLES = (16 << 20, 64 << 20, 256 << 20)
TURNS = 5
MOST = 0.05  # of the seconds of the pipeline
_LIBRARIES = ("apache-beam", "numpy", "pyarrow")

Measured = dict[str, dict[int, list[float]]]  # by case and sample, the share of each turn


def main() -> None:
    """Makes the source, builds and checks in turns, prints the table, and keeps it unless a part was asked for."""
    given = parser_of(__doc__, has_part=True).parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=given.folder) as place:
        source = make_source(Path(place) / "source", int(NUM_EXAMPLES * given.part))
        shares = measure(source, Path(place) / "root")
    result = result_of("checks.files", __doc__, _LIBRARIES, [], ratios_of(shares))
    keep(result, table(shares), results_folder(given, RESULTS, is_whole=given.part == 1))


def measure(source: dict[str, Any], root: Path, turns: int = TURNS) -> Measured:
    """The seconds of each check over those of its build, after one turn that does not count."""
    specs = {case: spec_of(source, feature) for case, feature in FEATURES.items()}
    for spec in specs.values():
        spec["partitioner"]["missing"] = "group"  # a few texts are empty
    import_all(next(iter(specs.values())))
    shares: Measured = {case: {size: [] for size in SAMPLES} for case in specs}
    for turn in range(turns + 1):
        for case, spec in specs.items():
            print(f"turn {turn}: {case}", file=sys.stderr)
            for size, share in _one_build(root, spec).items():
                if turn:
                    shares[case][size].append(share)
    return shares


def _one_build(root: Path, spec: dict[str, Any]) -> dict[int, float]:
    plan = make_plan(Spec.model_validate(spec, extra="forbid"))
    with staging_area(root) as staging:
        start = time.perf_counter()
        draft = draft_version(plan, partition(plan, staging), LocalStore(root))
        built = time.perf_counter() - start
        found = {}
        for size in SAMPLES:
            start = time.perf_counter()
            assert all(result.passed for result in check_draft(draft.dataset, size))
            found[size] = (time.perf_counter() - start) / built
    return found


def ratios_of(shares: Measured) -> list[Ratio]:
    """Of the seconds of each check to those of the pipeline in the same turn; the default sample has a limit."""
    return [
        Ratio(
            case=f"check of {size >> 20} MiB, {case}",
            peer="pipeline",
            values=tuple(found),
            limit=MOST if size == SAMPLE_BYTES else None,
        )
        for case, by_size in shares.items()
        for size, found in by_size.items()
    ]


def table(shares: Measured) -> list[str]:
    """What was measured, and whether the default keeps what we aim at."""
    lines = [f"# files\n\n{(__doc__ or '').strip()}\n\n{versions_line(_LIBRARIES)}\n"]
    lines += ["| case | sample | of the pipeline, median | least | most | limit | |", "|---|---|---|---|---|---|---|"]
    for case, by_size in shares.items():
        for size, found in by_size.items():
            verdict = f"{100 * MOST:.0f} % | {'kept' if median(found) <= MOST else 'MISSED'}"
            limit = f"{verdict} |" if size == SAMPLE_BYTES else "| |"
            figures = " | ".join(f"{100 * f(found):.1f} %" for f in (median, min, max))
            lines.append(f"| {case} | {size >> 20} MiB | {figures} | {limit}")
    return lines


if __name__ == "__main__":
    main()
