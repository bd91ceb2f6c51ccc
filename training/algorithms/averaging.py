"""The mean of what clients make of a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import optax

from training.algorithms.algorithm import Cohort, LocalSums, Metrics, Setup, client_weights
from training.algorithms.local_steps import LocalTraining
from training.models import Batch, Params


def average_change(
    setup: Setup, params: Params, cohort: Cohort, train: Callable[[Params, Batch], LocalTraining]
) -> tuple[Params, Metrics]:
    """The model that clients got minus the weighted mean of theirs, which is the pseudo-gradient of Reddi et al.

    Args:
        train: the model and a client's batches, each [steps, batch, ...], to what comes of them.
    """

    def client(params: Params, one: tuple[Batch, Any]) -> tuple[tuple[Params, LocalSums], Any]:
        batches, weight = one
        trained, sums = train(params, batches)
        return (optax.tree.scale(weight, optax.tree.sub(params, trained)), sums), ()

    clients = cohort.batches, client_weights(setup.weighting, cohort.num_targets)
    (change, sums), _ = setup.over_clients.sum(client, params, clients)
    return change, Metrics(sums, optax.tree.norm(change))
