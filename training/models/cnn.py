"""A small convolutional network, for images of few classes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from training.models.images import scale_pixels
from training.models.model import Batch, LossSums, Model, Params, cross_entropy

KERNEL = 3
BLOCKS = ("first", "second")


@dataclass(frozen=True)
class CnnSizes:
    """What a network is made of. The defaults are for CIFAR-10: 546,000 parameters.

    Attributes:
        height: of the images, in pixels; it and the width are halved twice, so they are multiples of 4.
        width: likewise.
        num_channels: 3 for colours, 1 for grey.
        num_classes: how many labels there are.
        first_filters: channels after the first block, a multiple of `num_groups`, as is the next.
        second_filters: after the second.
        num_groups: of channels that are normalised together. 1 is layer norm, one for each channel instance norm.
        hidden_width: of the dense layer.
    """

    height: int = 32
    width: int = 32
    num_channels: int = 3
    num_classes: int = 10
    first_filters: int = 32
    second_filters: int = 64
    num_groups: int = 8
    hidden_width: int = 128

    def __post_init__(self) -> None:
        if self.height % 4 or self.width % 4:
            raise ValueError(f"images of {self.height} x {self.width} pixels cannot be halved twice; pad them first")
        for filters in (self.first_filters, self.second_filters):
            if filters % self.num_groups:
                raise ValueError(f"{filters} filters cannot be divided into {self.num_groups} groups")


def cnn(sizes: CnnSizes) -> Model:
    """A classifier of images: two blocks of convolution, group norm, ReLU and pooling, then two dense layers.

    Its batches are `image` uint8[batch, height, width, channels], `label` int[batch] and `mask` bool[batch].

    Group norm (Wu & He 2018), not batch norm: the statistics of a batch are those of one client, so what is learned
    for them does not fit others, and their running averages are state that averaging models does not combine well
    (Hsieh et al. 2020). And an example's loss would depend on the others of its batch, padding included.

    Example:
        >>> model = cnn(CnnSizes(height=28, width=28, num_channels=1))
        >>> params = jax.jit(model.init)(jax.random.key(0))
        >>> image = jnp.zeros((20, 28, 28, 1), jnp.uint8)
        >>> batch = {"image": image, "label": jnp.zeros(20, int), "mask": jnp.ones(20, bool)}
        >>> float(jax.jit(model.loss)(params, batch).num_targets)
        20.0
    """

    def loss(params: Params, batch: Batch) -> LossSums:
        return cross_entropy(logits(sizes, params, batch["image"]), batch["label"], batch["mask"])

    return Model(lambda key: init(sizes, key), loss)


def init(sizes: CnnSizes, key: jax.Array) -> Params:
    """Parameters, in the scale of He et al. 2015; smaller in the last, so that all classes are about as likely."""
    keys = jax.random.split(key, 4)
    area = KERNEL * KERNEL
    flat = sizes.height * sizes.width // 16 * sizes.second_filters
    return {
        "first": _block(keys[0], area * sizes.num_channels, sizes.first_filters),
        "second": _block(keys[1], area * sizes.first_filters, sizes.second_filters),
        "hidden": _dense(keys[2], flat, sizes.hidden_width, gain=2),
        "output": _dense(keys[3], sizes.hidden_width, sizes.num_classes, gain=0.1),
    }


def logits(sizes: CnnSizes, params: Params, image: jax.Array) -> jax.Array:
    """float32[batch, num_classes]."""
    hidden = scale_pixels(image, params["output"]["bias"].dtype)
    for name in BLOCKS:
        block = params[name]
        convolved = group_norm(convolve(hidden, block["kernel"]), sizes.num_groups)
        hidden = halve(jax.nn.relu(convolved * block["scale"] + block["bias"]))
    hidden = hidden.reshape(hidden.shape[0], -1)
    hidden = jax.nn.relu(hidden @ params["hidden"]["kernel"] + params["hidden"]["bias"])
    return hidden @ params["output"]["kernel"] + params["output"]["bias"]


def convolve(image: jax.Array, kernel: jax.Array) -> jax.Array:
    """A convolution that keeps height and width, as one product of matrices.

    Not `lax.conv`: clients that train side by side (`jax.vmap`) make it a grouped convolution, and in a loop over steps
    (`lax.scan`) XLA has no fast one for CPUs. Processor time of 8 steps on batches of 20 CIFAR images: 0.34 s in a loop
    and 0.45 s side by side, against 3.3 s and 0.64 s; only a step outside of both is slower, 37 ms against 27. The
    patches take 9 times the memory of the image.

    Args:
        image: float[batch, height, width, channels].
        kernel: float[KERNEL × KERNEL × channels, filters], the channels being innermost.
    """
    height, width = image.shape[1:3]
    edge = KERNEL // 2
    padded = jnp.pad(image, ((0, 0), (edge, edge), (edge, edge), (0, 0)))
    shifted = [padded[:, y : y + height, x : x + width] for y in range(KERNEL) for x in range(KERNEL)]
    return jnp.concatenate(shifted, axis=-1) @ kernel


def group_norm(hidden: jax.Array, num_groups: int) -> jax.Array:
    """Mean 0 and variance 1 in each group of channels of each example, float[batch, height, width, channels]."""
    batch_size, _, _, num_channels = hidden.shape
    groups = hidden.reshape(batch_size, -1, num_groups, num_channels // num_groups)
    mean = jnp.mean(groups, axis=(1, 3), keepdims=True)
    variance = jnp.var(groups, axis=(1, 3), keepdims=True)
    return ((groups - mean) * jax.lax.rsqrt(variance + 1e-5)).reshape(hidden.shape)


def halve(hidden: jax.Array) -> jax.Array:
    """The largest of each 2 x 2 pixels.

    Not `jnp.max`: its gradient divides by how many pixels equal the largest, and where XLA computes the pixels twice,
    fused into two loops, they may round differently, so that none does. The gradient was NaN then. And the gradient of
    `lax.reduce_window` is slower.
    """
    batch_size, height, width, num_channels = hidden.shape
    pixels = hidden.reshape(batch_size, height // 2, 2, width // 2, 2, num_channels)
    upper = _larger(pixels[:, :, 0], pixels[:, :, 1])
    return _larger(upper[:, :, :, 0], upper[:, :, :, 1])


def _larger(first: jax.Array, second: jax.Array) -> jax.Array:
    return jnp.where(first >= second, first, second)


def _block(key: jax.Array, num_inputs: int, filters: int) -> Params:
    kernel = math.sqrt(2 / num_inputs) * jax.random.normal(key, (num_inputs, filters))
    return {"kernel": kernel, "scale": jnp.ones(filters), "bias": jnp.zeros(filters)}


def _dense(key: jax.Array, num_inputs: int, num_outputs: int, gain: float) -> Params:
    kernel = math.sqrt(gain / num_inputs) * jax.random.normal(key, (num_inputs, num_outputs))
    return {"kernel": kernel, "bias": jnp.zeros(num_outputs)}
