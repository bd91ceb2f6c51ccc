"""The loss of a language model from its last hidden states, without all of its logits at once."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp

from training.models.model import LossSums, cross_entropy

Gradients = tuple[jax.Array, jax.Array]


def token_loss(
    hidden: jax.Array, embedding: jax.Array, targets: jax.Array, mask: jax.Array, max_logits: int = 1 << 26
) -> LossSums:
    """The sums of the tokens that `hidden @ embedding.T` predicts.

    The logits are float32[batch, sequence, vocabulary], the largest array of a training step by far: 1 GB for a batch
    of 64 sequences of 128 and 30,000 tokens, and several of that size live at once. Here they are made for some
    positions at a time. The gradients are made together with the loss, while the logits are there, so that no logits
    are kept or made twice, and the products are in the type of `hidden` in both directions.

    Positions are what is cut, not sequences, so that a batch may be divided over devices. The loss can be
    differentiated in reverse, twice too, but not forwards (`jax.jvp`).

    Args:
        hidden: float[batch, sequence, width].
        embedding: float32[vocabulary, width].
        targets: int[batch, sequence].
        mask: bool[batch, sequence].
        max_logits: how many logits may be there at once, for each client under `jax.vmap`; but at least those of one
            position. 2**26 are 256 MiB, and twice that with their gradients.
    """
    sequence_length = hidden.shape[1]
    num_chunks = min(sequence_length, -(-targets.size * embedding.shape[0] // max_logits))
    return _sums(hidden, embedding, targets, mask, max(1, num_chunks))


@partial(jax.custom_vjp, nondiff_argnums=(4,))
def _sums(hidden: jax.Array, embedding: jax.Array, targets: jax.Array, mask: jax.Array, num_chunks: int) -> LossSums:
    if num_chunks == 1:
        return cross_entropy(_logits(hidden, embedding), targets, mask)

    def add(sums: LossSums, chunk: tuple[jax.Array, ...]) -> tuple[LossSums, None]:
        of_chunk = cross_entropy(_logits(chunk[0], embedding), *chunk[1:])
        return jax.tree.map(jnp.add, sums, of_chunk), None

    chunks = tuple(_cut(array, num_chunks) for array in (hidden, targets, mask))
    return jax.lax.scan(add, _no_sums(hidden), chunks)[0]


def _sums_and_gradients(
    hidden: jax.Array, embedding: jax.Array, targets: jax.Array, mask: jax.Array, num_chunks: int
) -> tuple[LossSums, Gradients]:
    if num_chunks == 1:
        return _of_chunk(hidden, embedding, targets, mask)
    Carry = tuple[LossSums, jax.Array]  # noqa: N806  (a type)

    def add(carry: Carry, chunk: tuple[jax.Array, ...]) -> tuple[Carry, jax.Array]:
        sums, (of_hidden, of_embedding) = _of_chunk(chunk[0], embedding, *chunk[1:])
        return (jax.tree.map(jnp.add, carry, (sums, of_embedding))), of_hidden

    chunks = tuple(_cut(array, num_chunks) for array in (hidden, targets, mask))
    (sums, of_embedding), of_hidden = jax.lax.scan(add, (_no_sums(hidden), jnp.zeros_like(embedding)), chunks)
    of_hidden = jnp.moveaxis(of_hidden, 0, 1).reshape(hidden.shape[0], -1, hidden.shape[2])
    return sums, (of_hidden[:, : hidden.shape[1]], of_embedding)


def _scaled(num_chunks: int, gradients: Gradients, by: LossSums) -> tuple[jax.Array, jax.Array, None, None]:
    of_hidden, of_embedding = gradients
    return (of_hidden * by.loss.astype(of_hidden.dtype), of_embedding * by.loss, None, None)


_sums.defvjp(_sums_and_gradients, _scaled)


def _of_chunk(
    hidden: jax.Array, embedding: jax.Array, targets: jax.Array, mask: jax.Array
) -> tuple[LossSums, Gradients]:
    def loss_of(logits: jax.Array) -> tuple[jax.Array, LossSums]:
        sums = cross_entropy(logits, targets, mask)
        return sums.loss, sums

    of_logits, sums = jax.grad(loss_of, has_aux=True)(_logits(hidden, embedding))
    of_logits = of_logits.astype(hidden.dtype)
    of_hidden = of_logits @ embedding.astype(hidden.dtype)
    of_embedding = jnp.einsum("bsv,bsw->vw", of_logits, hidden, preferred_element_type=embedding.dtype)
    return sums, (of_hidden, of_embedding)


def _logits(hidden: jax.Array, embedding: jax.Array) -> jax.Array:
    """float32[batch, sequence, vocabulary], whatever the type of the products."""
    return jnp.einsum("bsw,vw->bsv", hidden, embedding.astype(hidden.dtype), preferred_element_type=embedding.dtype)


def _cut(array: jax.Array, num_chunks: int) -> jax.Array:
    """[batch, sequence, ...] to [chunk, batch, positions, ...]; the last chunk is filled up with zeros."""
    batch_size, length = array.shape[:2]
    positions = -(-length // num_chunks)
    filled = jnp.pad(array, [(0, 0), (0, positions * num_chunks - length)] + [(0, 0)] * (array.ndim - 2))
    return jnp.moveaxis(filled.reshape(batch_size, num_chunks, positions, *array.shape[2:]), 1, 0)


def _no_sums(hidden: jax.Array) -> LossSums:
    zero = jnp.zeros((), jnp.promote_types(hidden.dtype, jnp.float32))
    return LossSums(zero, zero, zero)
