"""Each algorithm, against the same in float64 and NumPy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training.algorithms import reference
from tests.training.algorithms.conftest import NUM_CLIENTS, NUM_STEPS, RATE
from training.algorithms import ALGORITHMS

CLOSE = {"rtol": 1e-5, "atol": 1e-6}
NUM_ROUNDS = 3


def as_one(params) -> np.ndarray:
    """float64[..., num_features + 1, num_classes]."""
    return np.concatenate([params["weights"], np.asarray(params["bias"])[..., None, :]], -2).astype(np.float64)


@pytest.fixture
def cohorts(make_cohort):
    """The clients do different numbers of steps."""
    found = [make_cohort(seed=seed) for seed in range(NUM_ROUNDS)]
    for cohort in found:
        for place in range(NUM_CLIENTS):
            cohort.batches["mask"][place, NUM_STEPS - place % NUM_STEPS :] = False
        cohort.num_targets[:] = cohort.batches["mask"].sum((1, 2))
    return found


@pytest.mark.parametrize(
    ("name", "options", "momentum", "step"),
    [
        ("fedavg", {}, 0.0, lambda x, cohort: reference.fedavg(x, cohort, RATE)),
        ("fedavg", {}, 0.8, lambda x, cohort: reference.fedavg(x, cohort, RATE, momentum=0.8)),
        ("fedsgd", {}, 0.0, lambda x, cohort: reference.fedsgd(x, cohort, 1.0)),
        ("fedprox", {"mu": 0.5}, 0.0, lambda x, cohort: reference.fedprox(x, cohort, RATE, 0.5)),
        ("reptile", {}, 0.0, lambda x, cohort: reference.reptile(x, cohort, RATE)),
        ("fednova", {}, 0.0, lambda x, cohort: reference.fednova(x, cohort, RATE)),
        ("fednova", {}, 0.8, lambda x, cohort: reference.fednova(x, cohort, RATE, 0.8)),
    ],
)
def test_a_model_is_that_of_the_reference(name, options, momentum, step, setup, run, params, cohorts):
    done = run(ALGORITHMS[name](replace(setup, client_momentum=momentum), **options), NUM_ROUNDS, cohorts)
    x = as_one(params)
    for round_, cohort in zip(done, cohorts, strict=True):
        x = step(x, cohort)
        np.testing.assert_allclose(as_one(round_.state.params), x, **CLOSE)


def test_mime_lite_is_that_of_the_reference(setup, run, params, cohorts):
    done = run(ALGORITHMS["mime_lite"](setup, beta=0.9), NUM_ROUNDS, cohorts)
    x, momentum = as_one(params), 0.0
    for round_, cohort in zip(done, cohorts, strict=True):
        x, momentum = reference.mime_lite(x, momentum, cohort, RATE, 0.9)
        np.testing.assert_allclose(as_one(round_.state.params), x, **CLOSE)
        np.testing.assert_allclose(as_one(round_.state.extra), momentum, **CLOSE)


def test_scaffold_is_that_of_the_reference(setup, run, params, cohorts):
    done = run(ALGORITHMS["scaffold"](setup, num_clients=7), NUM_ROUNDS, cohorts)
    x, c, own = as_one(params), 0.0, [0.0] * NUM_CLIENTS
    for round_, cohort in zip(done, cohorts, strict=True):
        x, c, own = reference.scaffold(x, c, own, cohort, RATE, 7)
        np.testing.assert_allclose(as_one(round_.state.params), x, **CLOSE)
        np.testing.assert_allclose(as_one(round_.state.extra), c, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(as_one(round_.client_states), own, rtol=1e-4, atol=1e-5)


def test_ditto_is_that_of_the_reference(setup, run, params, cohorts):
    done = run(ALGORITHMS["ditto"](setup, lambda_=0.5), NUM_ROUNDS, cohorts)
    x, own = as_one(params), [as_one(params)] * NUM_CLIENTS
    for round_, cohort in zip(done, cohorts, strict=True):
        x, own = reference.ditto(x, own, cohort, RATE, 0.5)
        np.testing.assert_allclose(as_one(round_.state.params), x, **CLOSE)
        np.testing.assert_allclose(as_one(round_.client_states), own, **CLOSE)
