"""From a TFDS dataset to shards, against Dataset Grouper: `python -m benchmarks.pipeline.dataset_grouper_build`.

100,000 text examples of about 0.5 KB in 8,500 Zipf-sized groups, as 8 TFRecord files. Dataset Grouper 0.3.0 partitions
them as its README shows, in an environment of its own, which DATASET_GROUPER_PYTHON or `--python` names (see
benchmarks/peers). groupstream builds from the same files with one process. Both in turns, each in a process of its own;
seconds are without imports.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.arguments import parser_of, results_folder
from benchmarks.pipeline.build import spec_of
from benchmarks.pipeline.make_data import Made, make_data
from benchmarks.pipeline.memory import Usage, watch
from benchmarks.pipeline.report import LIBRARIES, RESULTS, machine
from benchmarks.results import Case, Ratio, keep, ratio_of, result_of

TURNS = 3
AT_LEAST = 25  # times faster
_SCRIPT = Path(__file__).parents[1] / "peers" / "partition_dataset_grouper.py"


def dataset_grouper(made: Made, folder: Path, python: str) -> Usage:
    """Partitions with Dataset Grouper."""
    used = watch([python, str(_SCRIPT), made.folder, str(folder / "train"), "key"], [folder])
    assert used.peak_disk_bytes > made.payload_bytes, used
    return used


def groupstream(made: Made, folder: Path, python: str = sys.executable) -> Usage:
    """Builds with one process."""
    spec = spec_of(made.source, "key")
    used = watch([python, "-m", "benchmarks.pipeline.build", str(folder), json.dumps(spec)], [folder])
    assert (used.found["examples"], used.found["groups"]) == (made.num_examples, made.num_groups), used.output
    return used


def main() -> None:
    """Makes the dataset, runs both in turns, prints and keeps the table."""
    parser = parser_of(__doc__, has_part=True)
    parser.add_argument("--python", default=os.environ.get("DATASET_GROUPER_PYTHON"), help="of its environment")
    given = parser.parse_args()
    if not given.python:
        parser.error("name the Python of Dataset Grouper's environment: see benchmarks/peers/README.md")
    made = make_data(given.folder / "sources", "talk", given.part)
    used: dict[str, list[Usage]] = {"dataset_grouper": [], "groupstream": []}
    for turn in range(TURNS):
        print(f"turn {turn + 1} of {TURNS}", file=sys.stderr)
        with tempfile.TemporaryDirectory(dir=given.folder) as place:
            used["dataset_grouper"].append(dataset_grouper(made, Path(place), given.python))
        with tempfile.TemporaryDirectory(dir=given.folder) as place:
            used["groupstream"].append(groupstream(made, Path(place)))
    ratio = ratio_of(*used, *map(_seconds, used.values()), limit=AT_LEAST, better="higher")
    result = result_of("pipeline.dataset_grouper_build", __doc__, LIBRARIES, _cases(used), [ratio])
    lines = [f"# dataset_grouper_build\n\n{result.about}\n\n{machine()}\n", *_table(made, used, ratio)]
    keep(result, lines, results_folder(given, RESULTS, is_whole=given.part == 1))


def _seconds(runs: list[Usage]) -> list[float]:
    return [run.found["seconds"] for run in runs]


def _cases(used: dict[str, list[Usage]]) -> list[Case]:
    return [
        case
        for name, runs in used.items()
        for case in (
            Case(case=name, values=tuple(_seconds(runs))),
            Case(case=name, figure="time of the process", values=tuple(run.seconds for run in runs)),
            Case(case=name, figure="memory", unit="MB", values=tuple(run.peak_bytes / 1e6 for run in runs)),
        )
    ]


def _table(made: Made, used: dict[str, list[Usage]], ratio: Ratio) -> list[str]:
    lines = ["| case | seconds, median | least | most | examples/s | peak memory, MB | whole process, s |"]
    lines += ["|---|---|---|---|---|---|---|"]
    for name, runs in used.items():
        seconds = _seconds(runs)
        lines.append(
            f"| {name} | {median(seconds):.2f} | {min(seconds):.2f} | {max(seconds):.2f} "
            f"| {made.num_examples / median(seconds):,.0f} | {max(run.peak_bytes for run in runs) / 1e6:,.0f} "
            f"| {median(run.seconds for run in runs):.1f} |"
        )
    lines += ["\n| dataset_grouper / groupstream | ratio | at least | |", "|---|---|---|---|"]
    return [
        *lines,
        f"| seconds, median of the turns | {ratio.median:.1f} | {AT_LEAST} | {'kept' if ratio.is_kept else 'MISSED'} |",
    ]


if __name__ == "__main__":
    main()
