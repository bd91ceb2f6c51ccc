"""Held-out groups, measured step by step by hand."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from training.data.held_out_clients import HeldOutPacker
from training.data.packing import Packing
from training.evaluation import as_parquet, evaluate, read_held_out
from training.problem import open_problem
from training.spec import TrainSpec


@pytest.fixture
def spec(numbers) -> TrainSpec:
    return TrainSpec.model_validate(
        {
            "dataset": numbers.location,
            "model": {"kind": "logistic_regression", "numbers": ["numbers"]},
            "evaluation": {
                "max_groups": 5,
                "fraction": 0.4,
                "num_steps": 2,
                "test_steps": 3,
                "batch_size": 2,
                "num_epochs": 2,
                "learning_rates": [0.1, 1.0],
            },
        }
    )


def test_each_group_is_tuned_by_plain_sgd_and_tested_on_other_examples(spec, tmp_path):
    problem = open_problem(spec, tmp_path)
    draw = np.random.default_rng(0)
    params = {"weights": draw.normal(size=(3, 2)).astype(np.float32), "bias": np.zeros(2, np.float32)}
    params = jax.tree.unflatten(jax.tree.structure(problem.model.init(jax.random.key(0))), jax.tree.leaves(params))
    result = evaluate(spec, problem, params)
    table = result.table.to_pandas().set_index(["group_id", "learning_rate"])
    assert len(table) == 2 * result.counts.num_clients == 10
    assert table.is_selection.groupby("group_id").first().sum() == 2, "of five groups two choose the rate"

    packer = HeldOutPacker(
        problem.form, Packing(2, 2, num_epochs=2), Packing(3, 2, num_epochs=1), cohort_size=5, seed=0
    )
    held_out = problem.groups.held_out.select(*problem.form.features).cohorts(5, seed=0, sampling="epochs")[0]
    packed = packer(held_out)
    for place, group_id in enumerate(packed.tuning.group_ids):
        tuning, testing = (
            [{k: v[place, step] for k, v in half.batches.items()} for step in range(half.batches["mask"].shape[1])]
            for half in (packed.tuning, packed.testing)
        )
        for rate in (0.1, 1.0):
            tuned = params
            for batch in tuning:
                if batch["mask"].any():
                    slope = jax.grad(lambda p, batch=batch: problem.model.loss(p, batch).mean_loss)(tuned)
                    tuned = jax.tree.map(lambda p, g, rate=rate: p - rate * g, tuned, slope)
            row = table.loc[(group_id, rate)]
            for moment, of in (("before", params), ("after", tuned)):
                sums = [problem.model.loss(of, batch) for batch in testing]
                num_targets = sum(float(one.num_targets) for one in sums)
                assert row.num_targets == num_targets > 0
                assert row[f"loss_{moment}"] == pytest.approx(sum(float(s.loss) for s in sums) / num_targets, rel=1e-5)
                correct = sum(float(one.num_correct) for one in sums)
                assert row[f"accuracy_{moment}"] == pytest.approx(correct / num_targets)


def test_what_was_measured_is_read_back_with_its_counts(spec, tmp_path):
    problem = open_problem(spec, tmp_path)
    result = evaluate(spec, problem, problem.model.init(jax.random.key(0)))
    (tmp_path / "file").write_bytes(as_parquet(result))
    table, counts = read_held_out(tmp_path / "file")
    assert table == result.table and counts["num_clients"] == result.counts.num_clients


def test_one_rate_needs_nobody_to_choose_it(spec, tmp_path):
    one = spec.model_copy(update={"evaluation": spec.evaluation.model_copy(update={"learning_rates": [0.1]})})
    problem = open_problem(one, tmp_path)
    table = evaluate(one, problem, problem.model.init(jax.random.key(0))).table
    assert not any(table["is_selection"].to_pylist())
