"""A small problem of clients, and what algorithms are made of."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from training.algorithms import Cohort, Setup
from training.models import LossSums

NUM_CLIENTS, NUM_STEPS, BATCH, NUM_FEATURES, NUM_CLASSES = 4, 3, 5, 3, 4
RATE = 0.3


def loss(params, batch) -> LossSums:
    """Logistic regression."""
    logits = batch["features"] @ params["weights"] + params["bias"]
    losses = jax.nn.logsumexp(logits, -1) - jnp.take_along_axis(logits, batch["label"][..., None], -1)[..., 0]
    mask = batch["mask"].astype(logits.dtype)
    is_correct = jnp.argmax(logits, -1) == batch["label"]
    return LossSums(jnp.sum(losses * mask), jnp.sum(is_correct * mask), jnp.sum(mask))


@pytest.fixture(scope="session")
def params():
    draw = np.random.default_rng(0)
    return {
        "weights": draw.normal(size=(NUM_FEATURES, NUM_CLASSES)).astype(np.float32),
        "bias": draw.normal(size=NUM_CLASSES).astype(np.float32),
    }


@pytest.fixture(scope="session")
def make_cohort():
    """A cohort of so many clients with so many steps each; targets are missing here and there."""

    def make(num_clients=NUM_CLIENTS, num_steps=NUM_STEPS, seed=1, client_states=()) -> Cohort:
        draw = np.random.default_rng(seed)
        shape = num_clients, num_steps, BATCH
        mask = draw.random(shape) < 0.8
        mask[:, 0, 0] = True
        batches = {
            "features": draw.normal(size=(*shape, NUM_FEATURES)).astype(np.float32),
            "label": draw.integers(NUM_CLASSES, size=shape).astype(np.int32),
            "mask": mask,
        }
        return Cohort(batches, mask.sum((1, 2)).astype(np.float32), client_states)

    return make


@pytest.fixture(scope="session")
def setup() -> Setup:
    return Setup(loss, optax.sgd(1.0), optax.constant_schedule(RATE))


@pytest.fixture(scope="session")
def with_states():
    """A cohort whose clients take part for the first time."""

    def fill(algorithm, params, cohort: Cohort) -> Cohort:
        one = algorithm.init_client(params)
        states = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (len(cohort.num_targets), *leaf.shape)), one)
        return cohort._replace(client_states=states)

    return fill


@pytest.fixture(scope="session")
def run(params, make_cohort, with_states):
    """The rounds of an algorithm: the same clients in each, unless `cohorts` says which."""

    def rounds(algorithm, num_rounds=3, cohorts=None):
        state, states = algorithm.init(params), None
        apply = jax.jit(algorithm.apply)
        done = []
        for round_ in range(num_rounds):
            cohort = cohorts[round_] if cohorts else make_cohort(seed=round_)
            has_states = states is not None
            cohort = cohort._replace(client_states=states) if has_states else with_states(algorithm, params, cohort)
            result = apply(state, cohort)
            state, states = result.state, result.client_states
            done.append(result)
        return done

    return rounds


@pytest.fixture(scope="session")
def with_server(setup):
    """The same setup with another server's optimizer."""
    return lambda optimizer, **changes: replace(setup, server_optimizer=optimizer, **changes)
