"""A trial from its first parameters to its figures, killed and gone on with, and what may go wrong."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pyarrow.parquet as pq
import pytest

from groupstream import UsageError
from training.errors import DeviceMemoryError, DivergedError, explaining_memory
from training.files import alone_in
from training.problem import open_problem
from training.results import read_results
from training.round_log import read_rounds
from training.spec import TrainSpec
from training.trial import TrialPlan, run_trial

ALGORITHMS = ["fedavg", "fedsgd", "scaffold", "ditto"]


@pytest.fixture
def make_plan(numbers, tmp_path):
    """A plan; its folder is new."""

    def make(kind="fedavg", folder="trial", of=None, **changes) -> TrialPlan:
        fields = {
            "dataset": numbers.location,
            "model": {"kind": "logistic_regression", "numbers": ["numbers"]},
            "algorithms": [{"kind": kind, **(of or {})}],
            "rounds": 8,
            "cohort_size": 4,
            "local_steps": 2,
            "batch_size": 3,
            "checkpoint_rounds": 3,
            "evaluation": {"max_groups": 6, "fraction": 0.3},
        }
        spec = TrainSpec.model_validate(fields | changes)
        return TrialPlan(spec, open_problem(spec, tmp_path), spec.algorithms[0], 7, tmp_path / folder)

    return make


class KilledError(Exception):
    """As if the process had ended."""


def killed_in(round_):
    def on_round(figures):
        if figures.round == round_:
            raise KilledError

    return on_round


def figures_of(plan):
    """All but how long it took."""
    return [replace(figures, seconds=0, data_seconds=0) for figures in read_rounds(plan.folder)]


@pytest.mark.parametrize("kind", ALGORITHMS)
def test_a_trial_that_was_killed_goes_on_as_if_nothing_had_been(make_plan, kind):
    undisturbed, killed = make_plan(kind, "undisturbed"), make_plan(kind, "killed")
    run_trial(undisturbed)
    for round_ in (4, 4, 7):  # twice behind the same checkpoint
        with pytest.raises(KilledError):
            run_trial(killed, killed_in(round_))
        assert not killed.is_done()
    run_trial(killed)
    assert killed.is_done()
    assert figures_of(killed) == figures_of(undisturbed)
    assert pq.read_table(killed.evaluation_file) == pq.read_table(undisturbed.evaluation_file)


@pytest.mark.parametrize("kind", ALGORITHMS)
def test_what_it_leaves_says_that_it_learned(make_plan, kind):
    plan = make_plan(kind, rounds=40, of={"server": {"rate": {"peak": 1.0}}})
    run_trial(plan)
    results = read_results([plan])
    losses = results.rounds["loss_before"].to_numpy()
    assert losses[0] == pytest.approx(np.log(2), rel=1e-5) and losses[-10:].mean() < 0.8 * losses[0]
    assert results.endings[plan.name].num_params == 8
    packing = results.packing[plan.name]
    assert packing.num_clients == 160 and packing.num_targets == sum(results.rounds["num_targets"].to_pylist())
    table = results.evaluation.to_pandas()
    assert set(table.learning_rate) == {0.01, 0.03, 0.1} and (table.num_targets > 0).all()
    assert results.held_out["num_clients"] == table.group_id.nunique() + sum(
        results.held_out[reason] for reason in ("num_too_small", "num_without_targets")
    )
    training = {group.id for group in plan.problem.groups.training}
    assert not training & set(table.group_id)
    assert (plan.folder / "tensorboard").is_dir()


def test_other_seeds_draw_other_clients_and_the_same_one_the_same(make_plan):
    one, same, other = make_plan(folder="one"), make_plan(folder="same"), replace(make_plan(folder="other"), seed=8)
    for plan in (one, same, other):
        run_trial(plan)
    assert figures_of(one) == figures_of(same) != figures_of(other)


def test_a_loss_that_is_no_number_says_what_to_lower(make_plan):
    plan = make_plan(of={"client": {"rate": {"peak": 1e30}}}, local_steps=8)
    with pytest.raises(
        DivergedError, match=r"fedavg, seed 7 became .* in round \d+ .*client\.rate, which is 1e\+30 there"
    ):
        run_trial(plan)
    assert plan.is_done() and not plan.evaluation_file.exists()
    with pytest.raises(DivergedError, match=r"client\.rate"):  # it is not done again
        run_trial(plan, killed_in(0))
    with pytest.raises(DivergedError, match=r"server\.rate"):
        run_trial(make_plan("fedsgd", "other", of={"server": {"rate": {"peak": 3e38}}}, rounds=40))


def test_trials_that_diverged_are_told_of_and_the_others_compared(make_plan):
    well, ill = (
        make_plan(folder="well"),
        make_plan(folder="ill", of={"client": {"rate": {"peak": 1e30}}, "name": "ill"}),
    )
    run_trial(well)
    with pytest.raises(DivergedError):
        run_trial(ill)
    results = read_results([well, ill])
    assert results.evaluation["algorithm"].unique().to_pylist() == ["fedavg"]
    assert len(results.diverged) == 1 and "ill, seed 7" in results.diverged[0]
    with pytest.raises(DivergedError, match="ill, seed 7"):
        read_results([ill])


def test_measured_in_another_way_nothing_is_trained_again(make_plan):
    plan = make_plan()
    run_trial(plan)
    paper = replace(plan, spec=make_plan(evaluation={"max_groups": 6, "fraction": 0.3, "protocol": "paper"}).spec)
    assert not paper.is_done()
    run_trial(paper, killed_in(0))
    assert paper.is_done() and plan.evaluation_file.exists()


def test_two_processes_are_not_at_one_trial(make_plan):
    plan = make_plan()
    with alone_in(plan.folder), pytest.raises(UsageError, match=r"another process is at work in .*trial; wait"):
        run_trial(plan)
    run_trial(plan)


def test_a_process_that_ends_as_it_goes_on_leaves_all_rounds(make_plan):
    plan = make_plan()
    with pytest.raises(KilledError):
        run_trial(plan, killed_in(4))
    before = read_rounds(plan.folder)
    ends = (
        "import os, sys, pathlib; from training.round_log import RoundLog; "
        "RoundLog(pathlib.Path(sys.argv[1]), 3); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", ends, str(plan.folder)], check=True)
    assert read_rounds(plan.folder) == before[:3]
    run_trial(plan)
    assert [figures.round for figures in read_rounds(plan.folder)] == list(range(8))


def test_a_cohort_larger_than_the_number_of_groups_is_refused(make_plan):
    with pytest.raises(UsageError, match=r"size is 50; a cohort has 1 to \d+ groups, as many as take part"):
        run_trial(make_plan(cohort_size=50))


def test_a_version_without_text_is_no_dataset_of_a_language_model(make_plan):
    with pytest.raises(UsageError, match="numbers"):
        make_plan(model={"kind": "transformer"})


def test_too_little_memory_says_what_to_choose():
    words = r"the trial does not fit into the memory of cpu.*rematerialise: true"
    with pytest.raises(DeviceMemoryError, match=words), explaining_memory("the trial"):
        jnp.zeros(1 << 46).block_until_ready()


@pytest.mark.parametrize("sampling", ["uniform", "by_size", "epochs"])
def test_a_last_cohort_that_is_smaller_loses_no_client(make_plan, sampling):
    plan = make_plan(sampling=sampling, rounds=7)
    run_trial(plan)
    counts = read_results([plan]).packing[plan.name]
    assert counts.num_clients + counts.num_places_without_client == 28


def test_the_paper_tests_on_what_it_tunes_on(make_plan):
    divided, paper = (
        make_plan(folder="divided"),
        make_plan(folder="paper", evaluation={"max_groups": 6, "fraction": 0.3, "protocol": "paper"}),
    )
    run_trial(divided)
    run_trial(paper)
    targets = [pq.read_table(plan.evaluation_file)["num_targets"].to_numpy() for plan in (divided, paper)]
    assert targets[1].sum() > targets[0].sum()


def test_a_transformer_learns_the_text_of_a_version(make_dataset, tmp_path):
    dataset = make_dataset({f"author {n}": ["to be or not to be " * 8] * 3 for n in range(8)})
    spec = TrainSpec.model_validate(
        {
            "dataset": dataset.location,
            "model": {"kind": "transformer", "sequence_length": 16, "tokenizer": {"kind": "bpe", "vocab_size": 300}},
            "rounds": 4,
            "cohort_size": 4,
            "local_steps": 4,
            "batch_size": 4,
            "evaluation": {"max_groups": 2, "fraction": 0.3, "learning_rates": [0.1]},
        }
    )
    problem = open_problem(spec, tmp_path)
    assert open_problem(spec, tmp_path).tokenizer == problem.tokenizer, "it is trained once"
    plan = TrialPlan(spec, problem, spec.algorithms[0], 0, tmp_path / "trial")
    run_trial(plan)
    figures = read_rounds(plan.folder)
    assert figures[-1].loss_before < 0.8 * figures[0].loss_before
