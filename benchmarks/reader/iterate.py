"""Group by group against the field: `python -m benchmarks.reader.iterate [FOLDER] [--cases ...]`.

100,000 examples of about 0.5 KB in 8,500 Zipf-sized groups; the same bytes for all. Cases run in turns, each in an
order of its own and each in a process of its own; a ratio is the median of the ratios of the same turn. Dataset
Grouper runs in an environment of its own, named by DATASET_GROUPER_PYTHON (see benchmarks/peers), once: it takes
minutes.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import groupstream
from benchmarks.arguments import parser_of, results_folder
from benchmarks.reader.make_version import make_version, zipf_sizes
from benchmarks.reader.prepare import prepare_dataset_grouper, prepare_hugging_face, prepare_sqlite
from benchmarks.reader.report import RESULTS, Limit, report
from benchmarks.results import Case, NotMeasured
from groupstream.arrow_copy import make_arrow_copy

NAME = "zipf"
TURNS = 3
OURS = (
    "stored",
    "shuffled",
    "arrow_copy",
    "to_numpy",
    "to_python",
    "to_torch",
    "to_tf_tensors",
    "to_tf_nested",
    "to_tf_readme",
    "to_tf_flat",
)
PEERS = ("raw", "raw_blocks", "hf_python", "hf_arrow", "sqlite")
DATASET_GROUPER = ("dg_groups", "dg_flat")
ALL = (*PEERS, *OURS, *DATASET_GROUPER)
LIMITS = (
    Limit("stored", "raw", at_most=2.5),
    Limit("stored", "raw_blocks", at_most=None),
    Limit("shuffled", "raw", at_most=None),
    Limit("to_numpy", "raw", at_most=2.5),
    Limit("stored", "hf_python", at_most=1.0),
    Limit("to_python", "hf_python", at_most=None),
    Limit("arrow_copy", "hf_arrow", at_most=1.0),
    Limit("stored", "sqlite", at_most=1 / 2),
    Limit("stored", "dg_groups", at_most=1 / 100),
    Limit("stored", "dg_flat", at_most=1 / 30),
    Limit("to_tf_tensors", "dg_groups", at_most=1 / 10),
    Limit("to_tf_readme", "dg_groups", at_most=1 / 10),
    Limit("to_tf_nested", "dg_groups", at_most=1 / 10),
    Limit("to_tf_flat", "dg_flat", at_most=None),
)


def main() -> None:
    """Makes what is missing, runs all, prints and keeps the table."""
    parser = parser_of(__doc__)
    parser.add_argument("--cases", nargs="+", choices=ALL, default=ALL)
    parser.add_argument("--turns", type=int, default=TURNS)
    given = parser.parse_args()
    folder = given.folder
    os.environ["GROUPSTREAM_CACHE"] = str(folder / "cache")
    make_version(folder, NAME, zipf_sizes(100_000, 8_500), 512)
    prepare_hugging_face(folder, NAME)
    prepare_sqlite(folder, NAME)
    make_arrow_copy(groupstream.open(NAME, str(folder)))
    peers = [case for case in DATASET_GROUPER if case in given.cases]
    seconds = _in_turns([case for case in (*PEERS, *OURS) if case in given.cases], given.turns, folder)
    python = os.environ.get("DATASET_GROUPER_PYTHON")
    for case in peers if python else ():
        print(f"Dataset Grouper: {case}", file=sys.stderr)
        seconds[case] = [_dataset_grouper(str(python), case.removeprefix("dg_"), folder)]
    without = [] if python else [NotMeasured(what=case, why="DATASET_GROUPER_PYTHON is not set") for case in peers]
    peak = run_case("stored", folder, NAME)["peak_bytes"] / 1e6
    memory = Case(case="largest process of ours", figure="memory", unit="MB", values=(peak,))
    where = results_folder(given, RESULTS, is_whole=set(given.cases) == set(ALL))
    report("reader.iterate", __doc__, seconds, LIMITS, where, more=[memory], not_measured=without)
    print(f"largest process of ours: {peak:.0f} MB")


def _in_turns(cases: Sequence[str], turns: int, folder: Path) -> dict[str, list[float]]:
    """The seconds of each case in each turn."""
    seconds: dict[str, list[float]] = {case: [] for case in cases}
    for turn in range(turns):
        for case in random.Random(turn).sample(cases, len(cases)):
            print(f"turn {turn + 1} of {turns}: {case}", file=sys.stderr)
            seconds[case].append(run_case(case, folder, NAME)["seconds"])
    return seconds


def run_case(case: str, folder: Path, name: str) -> dict[str, float]:
    """One run of one case in a new process."""
    command = [sys.executable, "-m", "benchmarks.reader.cases", case, str(folder), name]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise RuntimeError(f"{case} failed: {done.stderr[-2000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _dataset_grouper(python: str, mode: str, folder: Path) -> float:
    shards = prepare_dataset_grouper(folder, NAME)
    script = Path(__file__).parents[1] / "peers" / "read_dataset_grouper.py"
    done = subprocess.run(
        [python, str(script), mode, str(shards), f"{shards}/train-*.tfrecord"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["examples"] == 100_000, found
    return float(found["seconds"])


if __name__ == "__main__":
    main()
