"""What a client does in a round: gradient steps on its own batches, or one gradient of all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import optax

from training.algorithms.algorithm import LocalSums, Setup
from training.models import Batch, LossSums, Params

Carry = TypeVar("Carry")


class LocalTraining(NamedTuple):
    """What came of a client's steps: its model, and what it tells of them."""

    params: Params
    sums: LocalSums


def _as_it_is(gradient: Params, params: Params) -> Params:
    return gradient


def train_locally(
    setup: Setup,
    params: Params,
    batches: Batch,
    learning_rate: jax.Array,
    correct: Callable[[Params, Params], Params] = _as_it_is,
) -> LocalTraining:
    """One step of SGD for each batch.

    Args:
        batches: each array [steps, batch, ...].
        correct: a gradient, and the model that it is of, to the gradient that is followed.
    """
    optimizer = client_optimizer(setup, learning_rate)

    def follow(carry: tuple[Params, Any], batch: Batch) -> tuple[tuple[Params, Any], LossSums]:
        params, state = carry
        gradient, sums = mean_gradient(setup.loss, params, batch)
        updates, next_state = optimizer.update(correct(gradient, params), state, params)
        return (optax.apply_updates(params, updates), next_state), sums

    def step(carry: tuple[Params, Any], batch: Batch) -> tuple[tuple[Params, Any], LossSums]:
        return where_targets(follow, carry, batch)

    (trained, _), sums = jax.lax.scan(step, (params, optimizer.init(params)), batches)
    return LocalTraining(trained, _summed(sums))


def gradient_of_all(setup: Setup, params: Params, batches: Batch) -> tuple[Params, LocalSums]:
    """The gradient of the mean loss over all batches, at the model that the client got; and the sums."""

    def add(total: Params, batch: Batch) -> tuple[Params, LossSums]:
        def summed(params: Params) -> tuple[jax.Array, LossSums]:
            sums = setup.loss(params, batch)
            return sums.loss, sums

        gradient, sums = jax.grad(summed, has_aux=True)(params)
        return optax.tree.add(total, gradient), sums

    def step(total: Params, batch: Batch) -> tuple[Params, LossSums]:
        return where_targets(add, total, batch)

    total, sums = jax.lax.scan(step, optax.tree.zeros_like(params), batches)
    local = _summed(sums)
    return optax.tree.scale(1 / jnp.maximum(local.during.num_targets, 1), total), local


def where_targets(
    work: Callable[[Carry, Batch], tuple[Carry, LossSums]], carry: Carry, batch: Batch
) -> tuple[Carry, LossSums]:
    """What comes of a batch; of one without a target nothing, and nothing is computed, unless several are at once."""

    def skip(carry: Carry, batch: Batch) -> tuple[Carry, LossSums]:
        nothing = jnp.zeros((), jnp.float32)
        return carry, LossSums(nothing, nothing, nothing)

    return jax.lax.cond(jnp.any(batch["mask"]), work, skip, carry, batch)


def mean_gradient(loss: Callable[[Params, Batch], LossSums], params: Params, batch: Batch) -> tuple[Params, LossSums]:
    """The gradient of the mean loss of a batch; 0 for a batch without a target."""

    def mean(params: Params) -> tuple[jax.Array, LossSums]:
        sums = loss(params, batch)
        return sums.mean_loss, sums

    return jax.grad(mean, has_aux=True)(params)


def client_optimizer(setup: Setup, learning_rate: jax.Array) -> optax.GradientTransformation:
    """SGD, with momentum and a bound of the gradient if the setup says so."""
    sgd = optax.sgd(learning_rate, setup.client_momentum or None)
    if setup.client_clip_norm is None:
        return sgd
    return optax.chain(optax.clip_by_global_norm(setup.client_clip_norm), sgd)


def _summed(sums: LossSums) -> LocalSums:
    """Of sums of each step."""
    first = jax.tree.map(lambda array: array[0], sums)
    return LocalSums(first, jax.tree.map(jnp.sum, sums), jnp.sum(sums.num_targets > 0).astype(jnp.float32))
