"""FedNova: clients that do more steps do not pull the mean their way.

Each client's change is divided by how much its steps add up to, the mean of these is multiplied by the mean of that.

Source: Wang et al., "Tackling the Objective Inconsistency Problem in Heterogeneous Federated Optimization", 2020,
equations 6 to 8 and section 5 (SGD with momentum).
"""

from __future__ import annotations

from typing import Any

import jax
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


def fednova(setup: Setup) -> Algorithm:
    """FedNova. With clients that all do the same number of steps it is FedAvg."""

    def init(params: Params) -> ServerState:
        return initial_state(setup, params)

    def apply(state: ServerState, cohort: Cohort) -> Round:
        learning_rate = setup.client_learning_rate(state.round)

        def client(params: Params, one: tuple[Batch, Any]) -> tuple[Any, Any]:
            batches, weight = one
            local = train_locally(setup, params, batches, learning_rate)
            total = sum_of_steps(local.sums.num_steps, setup.client_momentum)
            share = weight / jnp.maximum(total, 1)
            return (optax.tree.scale(share, optax.tree.sub(params, local.params)), weight * total, local.sums), ()

        clients = cohort.batches, client_weights(setup.weighting, cohort.num_targets)
        (direction, effective_steps, sums), _ = setup.over_clients.sum(client, state.params, clients)
        change = optax.tree.scale(effective_steps, direction)
        return Round(next_state(setup, state, change), (), Metrics(sums, optax.tree.norm(change)))

    return Algorithm(init, apply)


def sum_of_steps(num_steps: jax.Array, momentum: float) -> jax.Array:
    """The sum of the factors that each gradient enters a client's change with: |a_i|_1 in the paper.

    As in `optax.sgd`: the gradient of a step counts 1 + momentum + momentum^2 + ..., once for each step from it on.
    """
    if not momentum:
        return num_steps
    return (num_steps - momentum * (1 - momentum**num_steps) / (1 - momentum)) / (1 - momentum)
