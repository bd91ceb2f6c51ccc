"""Trains a model: prepares what all trials share, runs each trial, and collects what they found."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.reporting import report
from tasks.steps import Step
from training.spec import TrainSpec

if TYPE_CHECKING:
    from training.problem import Problem
    from training.round_log import RoundFigures
    from training.trial import TrialPlan

_log = logging.getLogger("groupstream")


@task(name="prepare", task_run_name="open {spec.dataset} and train its tokenizer", cache_policy=NO_CACHE)
def prepare(spec: TrainSpec, folder: Path) -> Problem:
    """Opens the version, divides its groups, trains the tokenizer if there is none yet."""
    from training.devices import devices_in_words
    from training.problem import open_problem

    words, has_gpu = devices_in_words()
    (_log.info if has_gpu else _log.warning)("%s", words)
    return open_problem(spec, folder)


def plan_trials(spec: TrainSpec, problem: Problem, folder: Path) -> list[TrialPlan]:
    """Each algorithm with each seed, and its folder, which the same trial of another run has too."""
    from training.trial import TrialPlan

    digest = problem.dataset.manifest.digest
    return [
        TrialPlan(
            spec,
            problem,
            algorithm,
            seed,
            folder / "trials" / f"{algorithm.label}-seed{seed}-{spec.trial_digest(algorithm, seed, digest)}",
        )
        for algorithm, seed in spec.trials()
    ]


@task(name="train", task_run_name="train with {plan.name}", cache_policy=NO_CACHE)
def train(plan: TrialPlan) -> None:
    """Runs a trial, or goes on with it; does nothing where it is done. Reports every round.

    A trial that diverged is one that is done: the others may still be compared.
    """
    from training.errors import DivergedError
    from training.trial import run_trial

    if plan.is_done():
        _log.info("%s is done: %s", plan.name, plan.folder)
        return

    def on_round(figures: RoundFigures) -> None:
        speed = figures.packing.num_targets / figures.seconds
        words = f"{plan.name}: loss {figures.loss_before:.3f}, {speed:,.0f} targets/s"
        report("Train", Step("train", figures.round + 1, plan.spec.rounds, words=words))

    try:
        run_trial(plan, on_round)
    except DivergedError as error:
        _log.warning("%s", error)
