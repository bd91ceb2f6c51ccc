"""FedAvg: clients train by themselves, and the server steps towards the mean of their models.

With a server's optimizer other than SGD this is FedOpt: see `server_optimizers`.

Source: McMahan et al., "Communication-Efficient Learning of Deep Networks from Decentralized Data", 2017, algorithm 1;
Reddi et al., "Adaptive Federated Optimization", 2021, algorithm 1. Ours differs: how many steps a client does, or how
many epochs, is a matter of how its batches were packed, in `training.data.packing`.
"""

from __future__ import annotations

from training.algorithms.algorithm import Algorithm, Cohort, Round, ServerState, Setup, initial_state, next_state
from training.algorithms.averaging import average_change
from training.algorithms.local_steps import LocalTraining, train_locally
from training.models import Batch, Params


def fedavg(setup: Setup) -> Algorithm:
    """FedAvg; FedOpt with another server's optimizer."""

    def init(params: Params) -> ServerState:
        return initial_state(setup, params)

    def apply(state: ServerState, cohort: Cohort) -> Round:
        learning_rate = setup.client_learning_rate(state.round)

        def train(params: Params, batches: Batch) -> LocalTraining:
            return train_locally(setup, params, batches, learning_rate)

        change, metrics = average_change(setup, state.params, cohort, train)
        return Round(next_state(setup, state, change), (), metrics)

    return Algorithm(init, apply)
