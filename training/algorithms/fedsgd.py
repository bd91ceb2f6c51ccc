"""FedSGD: each client gives the gradient of all its batches at the same model; the server steps by their mean.

Minimises the empirical risk over all clients: the mean, weighted by targets, is the gradient of the mean loss over all
targets of the cohort. A client's learning rate plays no part.

Source: McMahan et al., "Communication-Efficient Learning of Deep Networks from Decentralized Data", 2017, section 2
("FederatedSGD"), with any server's optimizer.
"""

from __future__ import annotations

from typing import Any

import optax

from training.algorithms.algorithm import (
    Algorithm,
    Cohort,
    LocalSums,
    Metrics,
    Round,
    ServerState,
    Setup,
    client_weights,
    initial_state,
    next_state,
)
from training.algorithms.local_steps import gradient_of_all
from training.models import Batch, Params


def fedsgd(setup: Setup) -> Algorithm:
    """FedSGD."""

    def init(params: Params) -> ServerState:
        return initial_state(setup, params)

    def apply(state: ServerState, cohort: Cohort) -> Round:
        gradient, metrics = mean_gradient_of_clients(setup, state.params, cohort)
        return Round(next_state(setup, state, gradient), (), metrics)

    return Algorithm(init, apply)


def mean_gradient_of_clients(setup: Setup, params: Params, cohort: Cohort) -> tuple[Params, Metrics]:
    """The weighted mean of the gradients of all clients, each of all its batches."""

    def client(params: Params, one: tuple[Batch, Any]) -> tuple[tuple[Params, LocalSums], Any]:
        batches, weight = one
        gradient, sums = gradient_of_all(setup, params, batches)
        return (optax.tree.scale(weight, gradient), sums), ()

    clients = cohort.batches, client_weights(setup.weighting, cohort.num_targets)
    (gradient, sums), _ = setup.over_clients.sum(client, params, clients)
    return gradient, Metrics(sums, optax.tree.norm(gradient))
