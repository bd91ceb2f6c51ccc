"""What every algorithm is: pure functions of a state and the clients of a round.

State in, state out: resuming at round 400 is loading the state of round 400. Source of the shape: FedJAX.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax

from training.algorithms.over_clients import OverClients
from training.models import Batch, LossSums, Params

Weighting = Literal["targets", "uniform"]


class Cohort(NamedTuple):
    """The clients of a round, on the devices.

    Attributes:
        batches: each array [cohort, steps, batch, ...]. A step without a target that counts is padding: a client does
            nothing in it.
        num_targets: float32[cohort]; 0 for a place that no client has.
        client_states: what the clients keep from one round to the next, each array [cohort, ...]; () for most
            algorithms.
    """

    batches: Batch
    num_targets: jax.Array
    client_states: Any = ()


class ServerState(NamedTuple):
    """All that an algorithm carries from round to round, but for what its clients keep.

    Attributes:
        params: the model that the next round's clients get.
        optimizer: the state of the server's optimizer.
        round: int32, how many rounds were done.
        extra: what only this algorithm has.
    """

    params: Params
    optimizer: Any
    round: jax.Array
    extra: Any = ()


class LocalSums(NamedTuple):
    """What clients tell of their work; of one, or summed over a cohort.

    Attributes:
        before: sums over the first batch, at the model that the client got.
        during: sums over all its batches, each at the model as it was then.
        num_steps: float32, how many of its batches had a target.
    """

    before: LossSums
    during: LossSums
    num_steps: jax.Array


class Metrics(NamedTuple):
    """What a round tells of itself.

    Attributes:
        local: sums over the cohort.
        update_norm: the 2-norm of the pseudo-gradient, which the server's optimizer gets.
    """

    local: LocalSums
    update_norm: jax.Array


class Round(NamedTuple):
    """What `apply` gives: the next state, what the clients keep, what there is to tell."""

    state: ServerState
    client_states: Any
    metrics: Metrics


def _keeps_nothing(params: Params) -> Any:
    return ()


class Algorithm(NamedTuple):
    """An algorithm.

    Attributes:
        init: parameters to the state before round 0.
        apply: a state and a cohort to a round. Pure, so it can be compiled.
        init_client: the model of a round to what a client that takes part for the first time keeps.
    """

    init: Callable[[Params], ServerState]
    apply: Callable[[ServerState, Cohort], Round]
    init_client: Callable[[Params], Any] = _keeps_nothing


@dataclass(frozen=True)
class Setup:
    """What all algorithms are made of.

    Attributes:
        loss: of the model.
        server_optimizer: applied to the pseudo-gradient, the model that clients got minus the mean of theirs.
            `optax.sgd(1.0)` makes the mean itself the next model.
        client_learning_rate: the learning rate of the local steps in a round.
        client_momentum: from 0 (plain SGD) to below 1. It starts anew with each client and round.
        client_clip_norm: gradients of local steps are scaled down to this 2-norm; None for never.
        weighting: how much a client counts in the mean: as its number of targets, or each the same.
        over_clients: how the clients are spread over time and devices.
    """

    loss: Callable[[Params, Batch], LossSums]
    server_optimizer: optax.GradientTransformation
    client_learning_rate: optax.Schedule
    client_momentum: float = 0.0
    client_clip_norm: float | None = None
    weighting: Weighting = "targets"
    over_clients: OverClients = field(default_factory=OverClients)


def client_weights(weighting: Weighting, num_targets: jax.Array) -> jax.Array:
    """float32[cohort], the share of each client in the mean; they sum to 1, or to 0 if nobody has a target."""
    weights = num_targets if weighting == "targets" else (num_targets > 0).astype(jnp.float32)
    return weights / jnp.maximum(jnp.sum(weights), 1)


def initial_state(setup: Setup, params: Params, extra: Any = ()) -> ServerState:
    """The state before round 0."""
    return ServerState(params, setup.server_optimizer.init(params), jnp.zeros((), jnp.int32), extra)


def next_state(setup: Setup, state: ServerState, pseudo_gradient: Params, extra: Any = ()) -> ServerState:
    """The state after the server's step."""
    updates, optimizer = setup.server_optimizer.update(pseudo_gradient, state.optimizer, state.params)
    return ServerState(optax.apply_updates(state.params, updates), optimizer, state.round + 1, extra)
