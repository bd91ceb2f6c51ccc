"""A decoder-only transformer, for language models of any vocabulary."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp

from training.models.model import Batch, LossSums, Model, Params
from training.models.token_loss import token_loss

MATRICES = ("query_key_value", "attention_out", "mlp_in", "mlp_out")


@dataclass(frozen=True)
class TransformerSizes:
    """What a transformer is made of.

    Attributes:
        num_layers: and the next two: SIZES has named ones.
        num_heads: of the attention; divides the width into an even number of dimensions for each.
        width: of the hidden states.
        vocabulary_size: how many tokens there are. A multiple of 128 makes the products with it faster on a GPU.
        sequence_length: how many tokens are predicted of each sequence. The parameters do not depend on it.
        mlp_ratio: the width inside the MLP, in widths.
        dtype: of the arithmetic. Parameters, their gradients, normalisation, softmax, logits and loss are float32
            whatever it is. bfloat16 is for GPUs; a CPU is not faster with it, and compiles for twice as long.
        rematerialise: whether the backward pass computes each layer again instead of keeping what is inside it: a
            third more arithmetic, much less memory. `small` with 32 sequences of 128: 0.33 GB instead of 1.7. Layers
            are in a loop then: in straight code XLA for CPUs finds that the two are the same, and keeps all.
        unroll: how many layers are compiled one by one, the rest in a loop over them. Straight code runs 1.5 times
            faster on a CPU and takes longer to compile with each layer.
        max_logits: see `token_loss`.
    """

    num_layers: int
    num_heads: int
    width: int
    vocabulary_size: int
    sequence_length: int
    mlp_ratio: int = 4
    dtype: Literal["float32", "bfloat16"] = "float32"
    rematerialise: bool = False
    unroll: int = 12
    max_logits: int = 1 << 26

    def __post_init__(self) -> None:
        if self.width % (2 * self.num_heads):
            raise ValueError(
                f"width {self.width} does not give {self.num_heads} heads an even number of dimensions each; "
                f"make it a multiple of {2 * self.num_heads}"
            )


SIZES = {
    "tiny": {"num_layers": 2, "num_heads": 4, "width": 128},
    "small": {"num_layers": 6, "num_heads": 6, "width": 384},
    "base": {"num_layers": 12, "num_heads": 12, "width": 768},
    "large": {"num_layers": 20, "num_heads": 16, "width": 2048},
}
"""The depths and widths that have names. `small` and `base` are those of the examples of Dataset Grouper. With a
vocabulary of 30,000 they have 4.2 M, 22 M, 108 M and 1.07 B parameters (`num_params`)."""


def transformer(sizes: TransformerSizes) -> Model:
    """A language model.

    Its batches are `tokens` int[batch, sequence + 1] and `mask` bool[batch, sequence]: which of `tokens[:, 1:]` count.
    A position sees itself and what is before it, so padding at the end of a sequence changes nothing.

    Where it differs from GPT-2 (Radford et al. 2019):

    * RMSNorm instead of LayerNorm, and no biases: fewer small arrays, and no worse (Zhang & Sennrich 2019; PaLM).
    * Rotary positions (Su et al. 2021) instead of learned ones: what is learned is the same at each position, though
      most clients have a few short sequences only; costs 5 % of a step of `tiny`.
    * Its standard deviation of 0.02 is that of a width of 768; other widths have one that keeps the size of logits.

    As there, the embedding is the output's matrix too. It is 23 M of the 108 M parameters of `base`; a second one would
    be sent to and from each client as well.

    Example:
        >>> sizes = TransformerSizes(**SIZES["tiny"], vocabulary_size=259, sequence_length=64)
        >>> model = transformer(sizes)
        >>> params = jax.jit(model.init)(jax.random.key(0))
        >>> batch = {"tokens": jnp.zeros((8, 65), int), "mask": jnp.ones((8, 64), bool)}
        >>> float(jax.jit(model.loss)(params, batch).num_targets)
        512.0
    """

    def loss(params: Params, batch: Batch) -> LossSums:
        hidden = hidden_states(sizes, params, batch["tokens"][:, :-1])
        return token_loss(hidden, params["embedding"], batch["tokens"][:, 1:], batch["mask"], sizes.max_logits)

    return Model(lambda key: init(sizes, key), loss)


def init(sizes: TransformerSizes, key: jax.Array) -> Params:
    """Parameters; those of the layers have the layer as their first axis."""
    width, num_layers = sizes.width, sizes.num_layers
    inside = width * sizes.mlp_ratio
    scale = 0.02 * math.sqrt(768 / width)
    into_residual = scale / math.sqrt(2 * num_layers)  # 2 sums a layer, so that the last hidden state does not grow

    keys = jax.random.split(key, 5)
    return {
        "embedding": scale * jax.random.normal(keys[0], (sizes.vocabulary_size, width)),
        "layers": {
            "attention_norm": jnp.ones((num_layers, width)),
            "query_key_value": scale * jax.random.normal(keys[1], (num_layers, width, 3 * width)),
            "attention_out": into_residual * jax.random.normal(keys[2], (num_layers, width, width)),
            "mlp_norm": jnp.ones((num_layers, width)),
            "mlp_in": scale * jax.random.normal(keys[3], (num_layers, width, inside)),
            "mlp_out": into_residual * jax.random.normal(keys[4], (num_layers, inside, width)),
        },
        "final_norm": jnp.ones(width),
    }


def num_params(sizes: TransformerSizes) -> int:
    """How many numbers `init` gives."""
    matrices = (4 + 2 * sizes.mlp_ratio) * sizes.width**2
    return sizes.vocabulary_size * sizes.width + sizes.num_layers * (matrices + 2 * sizes.width) + sizes.width


def flops_per_token(sizes: TransformerSizes) -> int:
    """Floating-point operations of a training step for each target: forwards and backwards, products of matrices only.

    6 for each parameter, and 12 × layers × width × sequence for attention, as if each position saw all of them: that
    is what is computed, and how others count. What `rematerialise` computes again is not counted, as it is no use of
    the model's.

    Source: Chowdhery et al., PaLM (2022), appendix B.
    """
    return 6 * num_params(sizes) + 12 * sizes.num_layers * sizes.width * sizes.sequence_length


def logits(sizes: TransformerSizes, params: Params, tokens: jax.Array) -> jax.Array:
    """float32[batch, sequence, vocabulary]: what comes after each of int[batch, sequence] tokens."""
    hidden = hidden_states(sizes, params, tokens)
    embedding = params["embedding"]
    return jnp.matmul(hidden, embedding.T.astype(hidden.dtype), preferred_element_type=embedding.dtype)


def hidden_states(sizes: TransformerSizes, params: Params, tokens: jax.Array) -> jax.Array:
    """float[batch, sequence, width], of the arithmetic's type, normalised."""
    turns = rotations(tokens.shape[1], sizes.width // sizes.num_heads)

    def layer(hidden: jax.Array, weights: Params) -> tuple[jax.Array, None]:
        weights = {name: cast(sizes, array) if name in MATRICES else array for name, array in weights.items()}
        hidden += attention(sizes, weights, rms_norm(hidden, weights["attention_norm"]), turns)
        inside = jax.nn.gelu(rms_norm(hidden, weights["mlp_norm"]) @ weights["mlp_in"])
        return hidden + inside @ weights["mlp_out"], None

    unroll = min(sizes.unroll, sizes.num_layers)
    if sizes.rematerialise:
        layer, unroll = jax.checkpoint(layer, prevent_cse=False), 1
    hidden = cast(sizes, params["embedding"][tokens])
    hidden, _ = jax.lax.scan(layer, hidden, params["layers"], unroll=unroll)
    return rms_norm(hidden, params["final_norm"])


def attention(
    sizes: TransformerSizes, weights: Params, hidden: jax.Array, turns: tuple[jax.Array, jax.Array]
) -> jax.Array:
    """Causal self-attention, float[batch, sequence, width] to the same.

    As fast on a CPU as `jax.nn.dot_product_attention`, whose softmax is in float32 even where all else is float64, so
    that its gradient cannot be checked against differences.
    """
    batch_size, length, width = hidden.shape
    heads = (hidden @ weights["query_key_value"]).reshape(batch_size, length, 3, sizes.num_heads, -1)
    query, key, value = jnp.transpose(heads, (2, 0, 3, 1, 4))  # each [batch, head, sequence, head_width]
    query, key = rotate(query, turns), rotate(key, turns)
    fits = jnp.einsum("bhqd,bhkd->bhqk", query, key, preferred_element_type=turns[0].dtype)
    is_seen = jnp.tril(jnp.ones((length, length), bool))
    shares = jax.nn.softmax(jnp.where(is_seen, fits / math.sqrt(query.shape[-1]), -jnp.inf))
    seen = jnp.einsum("bhqk,bhkd->bqhd", shares.astype(value.dtype), value)
    return seen.reshape(batch_size, length, width) @ weights["attention_out"]


def rotations(length: int, head_width: int) -> tuple[jax.Array, jax.Array]:
    """Cosines and sines of rotary positions, each float32[length, head_width / 2]."""
    wavelengths = 10_000 ** (jnp.arange(0, head_width, 2) / head_width)
    angles = jnp.arange(length)[:, None] / wavelengths
    return jnp.cos(angles), jnp.sin(angles)


def rotate(heads: jax.Array, turns: tuple[jax.Array, jax.Array]) -> jax.Array:
    """Turns float[batch, head, sequence, head_width] by the angles of their positions.

    Source: Su et al., RoFormer (2021), with the pairs of dimensions half a head apart instead of neighbours.
    """
    cosines, sines = turns
    first, second = jnp.split(heads, 2, axis=-1)
    turned = jnp.concatenate([first * cosines - second * sines, second * cosines + first * sines], axis=-1)
    return turned.astype(heads.dtype)


def rms_norm(hidden: jax.Array, scale: jax.Array) -> jax.Array:
    """Divides by the root mean square over the last axis, in the type of the parameters."""
    wide = hidden.astype(scale.dtype)
    mean_square = jnp.mean(jnp.square(wide), axis=-1, keepdims=True)
    return (wide * jax.lax.rsqrt(mean_square + 1e-6) * scale).astype(hidden.dtype)


def cast(sizes: TransformerSizes, array: jax.Array) -> jax.Array:
    """To the type of the arithmetic. "float32" leaves the parameters' own, which tests make float64."""
    return array if sizes.dtype == "float32" else array.astype(sizes.dtype)
