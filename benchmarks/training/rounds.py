"""Iteration as a share of a training round: `python -m benchmarks.training.rounds FOLDER`.

FedAvg on the demo's dataset (specs/demo.yaml, which is built first): rounds of 8 clients of 8 steps of 8 sequences of
64 bytes, with the tiny and the small transformer. Each round is as `groupstream train` runs it, with data packed ahead
on threads. Beside it the same cohorts are only iterated (all examples of all clients, as Arrow tables), and only packed
(read, tokenised, made into arrays), with nothing ahead. Everything runs in turns; a share is of the same turn.

What a round waits is what data costs it. What packing takes is what it would wait where the device is so much faster:
the ratio says how much faster it may become until data is the limit.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from benchmarks.arguments import parser_of, results_folder
from benchmarks.machine import versions_line
from benchmarks.results import Case, Ratio, keep, ratio_of, result_of
from groupstream.cohorts import Cohorts
from training.data.packing import CohortPacker, Packing
from training.problem import Problem, open_problem
from training.round_log import read_rounds
from training.spec import TrainSpec
from training.trial import TrialPlan, run_trial

RESULTS = Path(__file__).parent / "results"
SPECS = Path(__file__).parents[2] / "specs"
SIZES = ("tiny", "small")
ROUNDS = 8  # of a turn; one before them, which compiles, does not count
TURNS = 3
_LIBRARIES = ("jax", "jaxlib", "numpy", "tokenizers")


def main() -> None:
    """Builds the demo, measures, prints and keeps the table."""
    parser = parser_of(__doc__)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=SIZES)
    parser.add_argument("--turns", type=int, default=TURNS)
    given = parser.parse_args()
    root = given.folder / "stdlib"
    _build(root)
    lines = ["# rounds", "", (__doc__ or "").strip(), "", versions_line(_LIBRARIES), ""]
    lines += ["| model | a round, s | iterating | packing | waiting for data |", "|---|---:|---:|---:|---:|"]
    cases: list[Case] = []
    ratios: list[Ratio] = []
    for size in given.sizes:
        found = _measured(_spec(root, size), given)
        cases += [Case(case=f"{size}: {case}", figure="time of a round", values=tuple(v)) for case, v in found.items()]
        shares = [
            ratio_of(f"{size}: {case}", f"{size}: round", found[case], found["round"]) for case in list(found)[1:]
        ]
        ratios += shares
        shown = " | ".join(f"{share.median:.2%}" for share in shares)
        lines.append(f"| {size} | {cases[-len(found)].median:.2f} | {shown} |")
    found_here = result_of("training.rounds", __doc__, _LIBRARIES, cases, ratios)
    keep(found_here, lines, results_folder(given, RESULTS, tuple(given.sizes) == SIZES))


def _build(root: Path) -> None:
    groupstream = Path(sys.executable).with_name("groupstream")
    subprocess.run([groupstream, "build", SPECS / "demo.yaml", "--root", root], check=True, stdout=sys.stderr)


def _spec(root: Path, size: str) -> TrainSpec:
    fields: dict[str, Any] = yaml.safe_load((SPECS / "training/demo.yaml").read_text(encoding="utf-8"))
    fields["model"]["size"] = size
    fields["algorithms"] = [each for each in fields["algorithms"] if each["kind"] == "fedavg"]
    fields["evaluation"] = {"max_groups": 2, "learning_rates": [0.1]}  # it is not measured
    return TrainSpec.model_validate({**fields, "root": str(root), "rounds": 1 + ROUNDS, "cohort_size": 8})


def _measured(spec: TrainSpec, given: argparse.Namespace) -> dict[str, list[float]]:
    """Seconds of a round, by what was done, in each turn."""
    found: dict[str, list[float]] = {"round": [], "iterated": [], "packed": [], "waited": []}
    with TemporaryDirectory(dir=given.folder) as folder:
        problem = open_problem(spec, Path(folder))
        for turn in range(given.turns):
            cohorts = problem.groups.training.select(*problem.form.features).cohorts(spec.cohort_size, seed=turn)
            found["iterated"].append(_iterated(cohorts) / ROUNDS)
            found["packed"].append(_packed(spec, problem, cohorts, turn) / ROUNDS)
            plan = TrialPlan(spec, problem, spec.algorithms[0], turn, Path(folder) / f"turn-{turn}")
            run_trial(plan)
            counted = [each for each in read_rounds(plan.folder) if each.round]
            found["round"].append(sum(each.seconds for each in counted) / ROUNDS)
            found["waited"].append(sum(each.data_seconds for each in counted) / ROUNDS)
            shown = ", ".join(f"{name} {seconds[-1]:.4f} s" for name, seconds in found.items())
            print(f"turn {turn + 1} of {given.turns}: {shown}", file=sys.stderr)
    return found


def _iterated(cohorts: Cohorts) -> float:
    start = time.perf_counter()
    for number in range(1, 1 + ROUNDS):
        for group in cohorts[number]:
            group.table()
    return time.perf_counter() - start


def _packed(spec: TrainSpec, problem: Problem, cohorts: Cohorts, seed: int) -> float:
    packing = Packing(spec.local_steps, spec.batch_size, num_epochs=spec.local_epochs, shuffle_seed=seed)
    pack = CohortPacker(problem.form, packing, spec.cohort_size)
    start = time.perf_counter()
    for number in range(1, 1 + ROUNDS):
        pack(cohorts[number])
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
