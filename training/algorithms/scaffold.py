"""SCAFFOLD: each client corrects its gradients by how its own differ from everybody's.

Clients keep a control variate, the mean of their gradients when they last took part; the server keeps the mean of all.

Source: Karimireddy et al., "SCAFFOLD: Stochastic Controlled Averaging for Federated Learning", 2020, algorithm 1,
option II. Ours differs: where clients are weighted by their targets, control variates are, too, so that with all of
them taking part the corrections cancel, as they do in the paper, where all count the same.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import optax

from training.algorithms.algorithm import (
    Algorithm,
    Cohort,
    Metrics,
    Round,
    ServerState,
    Setup,
    client_weights,
    initial_state,
    next_state,
)
from training.algorithms.local_steps import train_locally
from training.models import Batch, Params


def scaffold(setup: Setup, num_clients: int) -> Algorithm:
    """SCAFFOLD. Clients do plain SGD: their momentum is not used.

    Args:
        num_clients: how many there are in all, taking part or not. One control variate, as large as the model, is
            kept for each that has taken part.
    """
    plain = replace(setup, client_momentum=0.0)

    def init(params: Params) -> ServerState:
        return initial_state(setup, params, extra=optax.tree.zeros_like(params))

    def apply(state: ServerState, cohort: Cohort) -> Round:
        learning_rate = setup.client_learning_rate(state.round)

        def client(shared: tuple[Params, Params], one: tuple[Batch, Any, Params]) -> tuple[Any, Params]:
            (params, everybodys), (batches, weight, own) = shared, one
            correction = optax.tree.sub(everybodys, own)

            def corrected(gradient: Params, params: Params) -> Params:
                return optax.tree.add(gradient, correction)

            local = train_locally(plain, params, batches, learning_rate, corrected)
            change = optax.tree.sub(params, local.params)
            total_rate = local.sums.num_steps * learning_rate
            has_moved = total_rate > 0  # not so without a target, nor where the schedule has come to 0
            mean_gradient = optax.tree.scale(1 / jnp.where(has_moved, total_rate, 1), change)
            new = optax.tree.where(has_moved, optax.tree.sub(mean_gradient, correction), own)
            given = optax.tree.scale(weight, change), optax.tree.scale(weight, optax.tree.sub(new, own)), local.sums
            return given, new

        clients = cohort.batches, client_weights(setup.weighting, cohort.num_targets), cohort.client_states
        shared = state.params, state.extra
        (change, control_change, sums), client_states = setup.over_clients.sum(client, shared, clients)
        share = jnp.sum(cohort.num_targets > 0) / num_clients
        everybodys = optax.tree.add_scale(state.extra, share, control_change)
        metrics = Metrics(sums, optax.tree.norm(change))
        return Round(next_state(setup, state, change, everybodys), client_states, metrics)

    return Algorithm(init, apply, optax.tree.zeros_like)
