"""Logistic regression: the convex model that algorithms are compared on."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from training.models.images import scale_pixels
from training.models.model import Batch, LossSums, Model, Params, cross_entropy


@dataclass(frozen=True)
class LogisticRegressionSizes:
    """What a regression is made of.

    Attributes:
        num_inputs: numbers of an example; height × width × channels of an image.
        num_classes: how many labels there are.
    """

    num_inputs: int
    num_classes: int


def logistic_regression(sizes: LogisticRegressionSizes) -> Model:
    """A linear classifier.

    Its batches are `features` float32[batch, num_inputs] or `image` uint8[batch, height, width, channels], and `label`
    int[batch] and `mask` bool[batch].

    It begins at zero whatever the key: the loss is convex, and every class is equally likely then.

    Example:
        >>> model = logistic_regression(LogisticRegressionSizes(num_inputs=4, num_classes=2))
        >>> batch = {"features": jnp.ones((3, 4)), "label": jnp.zeros(3, int), "mask": jnp.ones(3, bool)}
        >>> print(f"{model.loss(model.init(jax.random.key(0)), batch).mean_loss:.3f}")
        0.693
    """

    def init(key: jax.Array) -> Params:
        return {"kernel": jnp.zeros((sizes.num_inputs, sizes.num_classes)), "bias": jnp.zeros(sizes.num_classes)}

    def loss(params: Params, batch: Batch) -> LossSums:
        inputs = inputs_of(batch, params["bias"].dtype)
        return cross_entropy(inputs @ params["kernel"] + params["bias"], batch["label"], batch["mask"])

    return Model(init, loss)


def inputs_of(batch: Batch, dtype: jnp.dtype) -> jax.Array:
    """float[batch, num_inputs]."""
    if "features" in batch:
        return batch["features"].astype(dtype)
    image = batch["image"]
    return scale_pixels(image.reshape(image.shape[0], -1), dtype)
