"""What every model is: two pure functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

Params = Any
"""A tree of float32 arrays."""

Batch = Mapping[str, jax.Array]
"""Arrays whose first axis is the examples of a batch; `mask` says which of its targets count. See the model."""


class LossSums(NamedTuple):
    """Sums over the targets of a batch that count: the tokens of a text, the labels of images.

    Attributes:
        loss: the sum of the losses, in nats.
        num_correct: how many targets the model finds likeliest.
        num_targets: how many targets there are; 0 for a batch of padding.
    """

    loss: jax.Array
    num_correct: jax.Array
    num_targets: jax.Array

    @property
    def mean_loss(self) -> jax.Array:
        """Nats per target; 0 where there is none."""
        return self.loss / jnp.maximum(self.num_targets, 1)

    @property
    def accuracy(self) -> jax.Array:
        """Share of the targets that the model finds likeliest; 0 where there is none."""
        return self.num_correct / jnp.maximum(self.num_targets, 1)


class Model(NamedTuple):
    """A model.

    Attributes:
        init: a key to the parameters.
        loss: parameters and a batch to its sums. Differentiable in the parameters.
    """

    init: Callable[[jax.Array], Params]
    loss: Callable[[Params, Batch], LossSums]


def cross_entropy(logits: jax.Array, targets: jax.Array, mask: jax.Array) -> LossSums:
    """The sums of a classifier.

    Args:
        logits: float[..., num_classes], of any float type; the arithmetic here is at least float32.
        targets: int[...], from 0.
        mask: bool[...]; what is False does not count, whatever its target says.
    """
    logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    log_total = jax.nn.logsumexp(logits, axis=-1)
    of_target = jnp.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
    is_correct = _is_likeliest(logits, targets, of_target)
    counts = mask.astype(logits.dtype)
    return LossSums(jnp.sum((log_total - of_target) * counts), jnp.sum(is_correct * counts), jnp.sum(counts))


def _is_likeliest(logits: jax.Array, targets: jax.Array, of_target: jax.Array) -> jax.Array:
    """Whether a target is the first of the likeliest classes.

    It is `argmax(logits) == targets`, in a third of the time on a CPU, whose compiler has no fast argmax.
    """
    likeliest = jnp.max(logits, axis=-1, keepdims=True)
    is_earlier = jnp.arange(logits.shape[-1]) < targets[..., None]
    return (of_target >= likeliest[..., 0]) & ~jnp.any(is_earlier & (logits >= likeliest), axis=-1)
