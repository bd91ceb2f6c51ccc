"""FedProx: FedAvg whose clients are drawn back to the model that they got.

Source: Li et al., "Federated Optimization in Heterogeneous Networks", 2020, algorithm 2. Ours differs: the local
problem is solved by the given number of SGD steps, not to a given inexactness.
"""

from __future__ import annotations

import optax

from training.algorithms.algorithm import Algorithm, Cohort, Round, ServerState, Setup, initial_state, next_state
from training.algorithms.averaging import average_change
from training.algorithms.local_steps import LocalTraining, train_locally
from training.models import Batch, Params


def fedprox(setup: Setup, mu: float) -> Algorithm:
    """FedProx.

    Args:
        mu: of the term mu/2 * |y - x|^2 that is added to each client's loss, y its model and x the one that it got.
            0 is FedAvg; the paper tries 0.001 to 1. A learning rate times mu of 2 or more diverges.
    """

    def init(params: Params) -> ServerState:
        return initial_state(setup, params)

    def apply(state: ServerState, cohort: Cohort) -> Round:
        learning_rate = setup.client_learning_rate(state.round)

        def train(start: Params, batches: Batch) -> LocalTraining:
            def with_proximal_term(gradient: Params, params: Params) -> Params:
                return optax.tree.add_scale(gradient, mu, optax.tree.sub(params, start))

            return train_locally(setup, start, batches, learning_rate, with_proximal_term)

        change, metrics = average_change(setup, state.params, cohort, train)
        return Round(next_state(setup, state, change), (), metrics)

    return Algorithm(init, apply)
