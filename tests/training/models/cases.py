from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from training.models import (
    CnnSizes,
    LogisticRegressionSizes,
    LossSums,
    Model,
    TransformerSizes,
    cnn,
    logistic_regression,
    transformer,
)

MODELS: dict[str, tuple[Any, Any]] = {
    "cnn": (CnnSizes, cnn),
    "logistic_regression": (LogisticRegressionSizes, logistic_regression),
    "transformer": (TransformerSizes, transformer),
}

BATCH_SIZE = 4
NUM_CLASSES = 10
Shapes = dict[str, tuple[tuple[int, ...], int]]


@dataclass(frozen=True)
class Case:
    """A small model of a kind, and what its batches are made of.

    Attributes:
        kind: its name in a spec.
        sizes: of the model.
        shapes: of the arrays of a batch that the model reads, without the axis of examples, and their upper bounds.
        num_classes: how many it tells apart.
    """

    kind: str
    sizes: dict[str, Any]
    shapes: Shapes
    num_classes: int = NUM_CLASSES

    @cached_property
    def model(self) -> Model:
        sizes, model = MODELS[self.kind]
        return model(sizes(**self.sizes))

    @cached_property
    def init(self) -> Any:
        return jax.jit(self.model.init)

    @cached_property
    def value_and_grad(self) -> Any:
        """Parameters and a batch to the mean loss and the sums, and to the gradient of the former."""
        return jax.jit(jax.value_and_grad(self.mean_loss, has_aux=True))

    def mean_loss(self, params: Any, batch: Any) -> tuple[jax.Array, LossSums]:
        sums = self.model.loss(params, batch)
        return sums.mean_loss, sums

    def params(self, seed: int = 0) -> Any:
        """As after some training: what begins at 0 or 1 no longer is."""
        generator = np.random.default_rng(seed)
        params = self.init(jax.random.key(seed))
        return jax.tree.map(lambda array: array + 0.05 * generator.normal(size=array.shape).astype("float32"), params)

    def batch(self, seed: int = 0, num_masked: int = 1) -> dict[str, jax.Array]:
        """A batch whose last examples do not count."""
        generator = np.random.default_rng(seed)
        mask = np.arange(BATCH_SIZE) < BATCH_SIZE - num_masked
        if "tokens" in self.shapes:
            length = self.shapes["tokens"][0][0] - 1
            mask = np.broadcast_to(mask[:, None], (BATCH_SIZE, length))
        arrays = {name: _draw(generator, name, *of) for name, of in self.shapes.items()}
        return {"mask": jnp.asarray(mask), **arrays}


def _draw(generator: np.random.Generator, name: str, shape: tuple[int, ...], bound: int) -> jax.Array:
    if name == "features":
        return jnp.asarray(generator.normal(size=(BATCH_SIZE, *shape)), jnp.float32)
    return jnp.asarray(generator.integers(0, bound, (BATCH_SIZE, *shape)), jnp.uint8 if name == "image" else jnp.int32)


TOKENS: Shapes = {"tokens": ((10,), 31)}
LABEL: Shapes = {"label": ((), NUM_CLASSES)}
TRANSFORMER = {"num_layers": 2, "num_heads": 2, "width": 16, "vocabulary_size": 31, "sequence_length": 9}
IN_LOOPS = {"max_logits": 500, "unroll": 1}  # over layers, and over three chunks of the loss
CNN = {"height": 8, "width": 12, "first_filters": 4, "second_filters": 8, "num_groups": 2, "hidden_width": 16}
LINEAR = {"num_inputs": 48, "num_classes": NUM_CLASSES}
CASES = {
    "transformer": Case("transformer", {**TRANSFORMER, **IN_LOOPS}, TOKENS, 31),
    "cnn": Case("cnn", CNN, {"image": ((8, 12, 3), 256), **LABEL}),
    "logistic regression, features": Case("logistic_regression", LINEAR, {"features": ((48,), 0), **LABEL}),
    "logistic regression, images": Case("logistic_regression", LINEAR, {"image": ((4, 4, 3), 256), **LABEL}),
}
