from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.training.models.cases import CASES
from training.models import SIZES, TransformerSizes, flops_per_token, num_params, transformer
from training.models.model import cross_entropy
from training.models.token_loss import token_loss
from training.models.transformer import logits

CASE = CASES["transformer"]
PARAMS, BATCH = CASE.params(), CASE.batch()
SMALL = TransformerSizes(**CASE.sizes)
LENGTH = SMALL.sequence_length
logits_of = jax.jit(lambda tokens: logits(SMALL, PARAMS, tokens))


def gradient_of(sizes):
    return jax.jit(jax.value_and_grad(lambda params: transformer(sizes).loss(params, BATCH).mean_loss))(PARAMS)


def close(found, expected, rtol=1e-5, atol=1e-6):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=atol), found, expected)


def test_later_token_changes_no_earlier_logits():
    tokens = BATCH["tokens"][:, :-1]
    before = logits_of(tokens)
    for changed in (3, LENGTH - 1):
        after = logits_of(tokens.at[:, changed].add(1) % SMALL.vocabulary_size)
        close(after[:, :changed], before[:, :changed])
        assert float(jnp.abs(after - before)[:, changed:].max(axis=(0, 2)).min()) > 1e-4


def test_order_of_earlier_tokens_matters():
    tokens = BATCH["tokens"][:, :-1]
    swapped = tokens.at[:, :2].set(tokens[:, 1::-1])
    last = [logits_of(each)[:, -1] for each in (tokens, swapped)]
    assert float(jnp.abs(last[0] - last[1]).max()) > 1e-4


def test_loss_is_the_cross_entropy_of_the_logits():
    tokens = BATCH["tokens"]
    expected = cross_entropy(logits_of(tokens[:, :-1]), tokens[:, 1:], BATCH["mask"])
    close(CASE.value_and_grad(PARAMS, BATCH)[0][1], expected)


@pytest.mark.parametrize(
    "choice",
    [{"rematerialise": True}, {"max_logits": 1 << 20, "unroll": 2}],
    ids=str,
)
def test_choices_of_speed_and_memory_change_no_gradient(choice):
    (loss, _), gradient = CASE.value_and_grad(PARAMS, BATCH)
    close(gradient_of(replace(SMALL, **choice)), (loss, gradient))


def test_bfloat16_is_within_a_hundredth_of_float32():
    (loss, gradient), (rough_loss, rough) = (
        gradient_of(replace(SMALL, dtype=name)) for name in ("float32", "bfloat16")
    )
    assert loss != rough_loss
    assert rough_loss.dtype == jnp.float32
    assert float(rough_loss) == pytest.approx(float(loss), rel=0.01)
    for fine, coarse in zip(jax.tree.leaves(gradient), jax.tree.leaves(rough), strict=True):
        assert coarse.dtype == jnp.float32
        assert jnp.linalg.norm(fine - coarse) < 0.05 * jnp.linalg.norm(fine)


def test_rematerialising_takes_less_memory():
    sizes = TransformerSizes(num_layers=4, num_heads=2, width=64, vocabulary_size=64, unroll=1, sequence_length=128)
    batch = {"tokens": jnp.zeros((4, 129), int), "mask": jnp.ones((4, 128), bool)}
    temporary_bytes = []
    for again in (False, True):
        model = transformer(replace(sizes, rematerialise=again))
        compiled = jax.jit(jax.grad(lambda p, m=model: m.loss(p, batch).loss)).lower(shapes(model)).compile()
        temporary_bytes.append(compiled.memory_analysis().temp_size_in_bytes)
    assert temporary_bytes[1] < temporary_bytes[0] / 2


def test_loss_in_chunks_takes_less_memory():
    hidden, embedding = jnp.zeros((4, 64, 8)), jnp.zeros((1000, 8))
    targets, mask = jnp.zeros((4, 64), int), jnp.ones((4, 64), bool)
    temporary_bytes = []
    for max_logits in (4 * 64 * 1000, 4 * 4 * 1000):
        loss = jax.grad(lambda h, most=max_logits: token_loss(h, embedding, targets, mask, most).loss)
        temporary_bytes.append(jax.jit(loss).lower(hidden).compile().memory_analysis().temp_size_in_bytes)
    assert temporary_bytes[1] < temporary_bytes[0] / 4


@pytest.mark.parametrize("max_logits", [1 << 20, 500])
def test_gradient_of_a_gradient_is_that_of_the_plain_loss(max_logits):
    generator = np.random.default_rng(0)
    arrays = [generator.normal(size=shape).astype("float32") for shape in ((4, LENGTH, 8), (31, 8))]
    targets, mask = BATCH["tokens"][:, 1:], BATCH["mask"]

    def ours(hidden, embedding):
        return token_loss(hidden, embedding, targets, mask, max_logits).mean_loss

    def plain(hidden, embedding):
        return cross_entropy(hidden @ embedding.T, targets, mask).mean_loss

    def steepness(loss):
        gradient = jax.grad(loss, argnums=(0, 1))
        return jax.jit(jax.grad(lambda *given: sum(jnp.sum(x**2) for x in gradient(*given)), argnums=(0, 1)))

    close(steepness(ours)(*arrays), steepness(plain)(*arrays), rtol=1e-4)


def shapes(model):
    return jax.eval_shape(model.init, jax.random.key(0))


@pytest.mark.parametrize("name", SIZES)
def test_num_params_is_the_size_of_the_tree(name):
    sizes = TransformerSizes(**SIZES[name], vocabulary_size=30_000, sequence_length=128)
    assert num_params(sizes) == sum(array.size for array in jax.tree.leaves(shapes(transformer(sizes))))


def test_base_has_108_million_parameters():
    assert num_params(TransformerSizes(**SIZES["base"], vocabulary_size=30_000, sequence_length=128)) == 107_993_856


@pytest.mark.parametrize(("length", "vocabulary_size"), [(64, 259), (256, 1024)])
def test_flops_are_those_that_xla_counts(length, vocabulary_size):
    sizes = TransformerSizes(**SIZES["tiny"], vocabulary_size=vocabulary_size, sequence_length=length)
    model = transformer(sizes)
    batch = {"tokens": jnp.zeros((2, length + 1), int), "mask": jnp.ones((2, length), bool)}
    counted = jax.jit(jax.grad(lambda p: model.loss(p, batch).loss)).lower(shapes(model)).compile().cost_analysis()
    assert flops_per_token(sizes) * 2 * length == pytest.approx(counted["flops"], rel=0.15)


def test_width_that_heads_do_not_divide_is_refused():
    with pytest.raises(ValueError, match=r"width 128 does not give 3 heads .* multiple of 6"):
        TransformerSizes(num_layers=1, num_heads=3, width=128, vocabulary_size=10, sequence_length=8)
