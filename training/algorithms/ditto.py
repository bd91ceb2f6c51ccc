"""Ditto: beside the common model, which FedAvg trains, each client has one of its own that may not go far from it.

Source: Li et al., "Ditto: Fair and Robust Federated Learning Through Personalization", 2021, algorithm 1. Ours differs:
a client that takes part for the first time begins its own model at the common one of that round.
"""

from __future__ import annotations

from typing import Any

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


def ditto(setup: Setup, lambda_: float) -> Algorithm:
    """Ditto. What a client keeps is its own model.

    Args:
        lambda_: of the term lambda/2 * |v - w|^2 that is added to the loss of a client's own model v, w the common
            one. 0 trains each client alone; the paper tries 0.01 to 2.
    """

    def init(params: Params) -> ServerState:
        return initial_state(setup, params)

    def apply(state: ServerState, cohort: Cohort) -> Round:
        learning_rate = setup.client_learning_rate(state.round)

        def client(params: Params, one: tuple[Batch, Any, Params]) -> tuple[Any, Params]:
            batches, weight, own = one

            def drawn_to_the_common_one(gradient: Params, own: Params) -> Params:
                return optax.tree.add_scale(gradient, lambda_, optax.tree.sub(own, params))

            local = train_locally(setup, params, batches, learning_rate)
            new = train_locally(setup, own, batches, learning_rate, drawn_to_the_common_one).params
            return (optax.tree.scale(weight, optax.tree.sub(params, local.params)), local.sums), new

        clients = cohort.batches, client_weights(setup.weighting, cohort.num_targets), cohort.client_states
        (change, sums), own_models = setup.over_clients.sum(client, state.params, clients)
        return Round(next_state(setup, state, change), own_models, Metrics(sums, optax.tree.norm(change)))

    return Algorithm(init, apply, lambda params: params)
