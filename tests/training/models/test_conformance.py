"""What is true of every model."""

from __future__ import annotations

import math
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests.training.models.cases import BATCH_SIZE, CASES
from training.spec_models import AnyModel


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


def test_cases_are_of_every_kind():
    kinds = {model.model_fields["kind"].default for model in get_args(get_args(AnyModel)[0])}
    assert {case.kind for case in CASES.values()} == kinds


def test_params_are_float32_and_a_function_of_the_key(case):
    params, again, other = (case.init(jax.random.key(seed)) for seed in (3, 3, 4))
    assert {array.dtype for array in jax.tree.leaves(params)} == {jnp.dtype("float32")}
    jax.tree.map(np.testing.assert_array_equal, params, again)
    same = jax.tree.map(np.array_equal, params, other)
    assert all(jax.tree.leaves(same)) == (case.kind == "logistic_regression")


def test_sums_are_three_float32_numbers_that_count_what_the_mask_lets_through(case):
    batch = case.batch()
    (mean_loss, sums), _ = case.value_and_grad(case.params(), batch)
    assert [(value.shape, value.dtype) for value in sums] == [((), jnp.dtype("float32"))] * 3
    assert sums.num_targets == np.sum(batch["mask"])
    assert float(sums.loss) == pytest.approx(float(mean_loss * sums.num_targets), rel=1e-5)
    assert 0 <= sums.num_correct <= sums.num_targets


def test_untrained_model_finds_all_classes_about_as_likely(case):
    (mean_loss, _), _ = case.value_and_grad(case.init(jax.random.key(0)), case.batch())
    assert float(mean_loss) == pytest.approx(math.log(case.num_classes), abs=0.3)


def test_batch_of_padding_has_no_sums_and_no_gradient(case):
    (_, sums), gradient = case.value_and_grad(case.params(), case.batch(num_masked=BATCH_SIZE))
    assert [float(value) for value in sums] == [0, 0, 0]
    assert not any(np.any(array) for array in jax.tree.leaves(gradient))


def test_padding_changes_neither_sums_nor_gradient(case):
    batch, other = case.batch(), case.batch(seed=1)
    changed = {name: np.concatenate([batch[name][:-1], other[name][-1:]]) for name in case.shapes}
    assert any(np.any(batch[name] != changed[name]) for name in case.shapes)
    before, after = (case.value_and_grad(case.params(), {**batch, **arrays}) for arrays in ({}, changed))
    are_close(after, before, rtol=1e-5, atol=1e-7)


def test_gradient_is_that_of_central_differences(case):
    step = 1e-6
    generator = np.random.default_rng(5)
    params = jax.tree.map(lambda array: np.asarray(array, "float64"), case.params())
    along = jax.tree.map(lambda array: generator.normal(size=array.shape), params)
    with jax.enable_x64(True):
        batch = case.batch()
        (here, ahead, behind), gradients = zip(
            *(case.value_and_grad(_moved(params, along, by), batch) for by in (0, step, -step)), strict=True
        )
        assert here[0].dtype == jnp.float64
        slope = sum(np.vdot(a, b) for a, b in zip(jax.tree.leaves(gradients[0]), jax.tree.leaves(along), strict=True))
        assert slope == pytest.approx(float(ahead[0] - behind[0]) / (2 * step), rel=1e-5)


def test_side_by_side_is_one_after_another(case):
    params = [case.params(seed) for seed in range(3)]
    batches = [case.batch(seed, num_masked=seed) for seed in range(3)]
    expected = [case.value_and_grad(*each) for each in zip(params, batches, strict=True)]
    found = jax.jit(jax.vmap(case.value_and_grad))(_stacked(params), _stacked(batches))
    are_close(found, _stacked(expected), rtol=1e-5, atol=1e-5)


def test_one_batch_can_be_learned_in_a_loop_of_80_steps(case):
    batch = case.batch()
    optimizer = optax.adam(0.02)

    def step(carry, _):
        params, state = carry
        (mean_loss, _), gradient = case.value_and_grad(params, batch)
        updates, state = optimizer.update(gradient, state)
        return (optax.apply_updates(params, updates), state), mean_loss

    params = case.init(jax.random.key(0))
    (params, _), losses = jax.jit(lambda carry: jax.lax.scan(step, carry, length=80))((params, optimizer.init(params)))
    assert losses[-1] < 0.2 < losses[0]
    assert case.value_and_grad(params, batch)[0][1].accuracy == 1


def are_close(found, expected, rtol, atol):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=atol), found, expected)


def _moved(params, along, by):
    return jax.tree.map(lambda array, direction: array + by * direction, params, along)


def _stacked(trees):
    return jax.tree.map(lambda *arrays: np.stack(arrays), *trees)
