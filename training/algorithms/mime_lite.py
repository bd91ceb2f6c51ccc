"""Mime-lite: clients step with the server's momentum, which stays as it is while they do.

Source: Karimireddy et al., "Breaking the centralized barrier for cross-device federated learning", 2021 ("Mime"),
algorithm 1 with the marks of MimeLite, for SGD with momentum (table 1 there).
"""

from __future__ import annotations

from dataclasses import replace

import optax

from training.algorithms.algorithm import Algorithm, Cohort, Round, ServerState, Setup, initial_state, next_state
from training.algorithms.averaging import average_change
from training.algorithms.fedsgd import mean_gradient_of_clients
from training.algorithms.local_steps import LocalTraining, train_locally
from training.models import Batch, Params


def mime_lite(setup: Setup, beta: float) -> Algorithm:
    """Mime-lite. A round costs the gradient of all batches twice.

    Args:
        beta: share of the momentum in a step, from 0, which is FedAvg, to below 1; the paper's default is 0.9. Clients'
            own momentum is not used.
    """
    plain = replace(setup, client_momentum=0.0)

    def init(params: Params) -> ServerState:
        return initial_state(setup, params, extra=optax.tree.zeros_like(params))

    def apply(state: ServerState, cohort: Cohort) -> Round:
        learning_rate = setup.client_learning_rate(state.round)
        momentum = state.extra

        def with_momentum(gradient: Params, params: Params) -> Params:
            return optax.tree.add_scale(optax.tree.scale(1 - beta, gradient), beta, momentum)

        def train(params: Params, batches: Batch) -> LocalTraining:
            return train_locally(plain, params, batches, learning_rate, with_momentum)

        gradient, _ = mean_gradient_of_clients(setup, state.params, cohort)
        change, metrics = average_change(setup, state.params, cohort, train)
        momentum = optax.tree.add_scale(optax.tree.scale(1 - beta, gradient), beta, momentum)
        return Round(next_state(setup, state, change, momentum), (), metrics)

    return Algorithm(init, apply)
