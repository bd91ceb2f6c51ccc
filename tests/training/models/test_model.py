from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

import training.models
from training.models import CnnSizes
from training.models.cnn import KERNEL, convolve
from training.models.model import cross_entropy


def test_what_is_exported_is_there():
    assert all(hasattr(training.models, name) for name in training.models.__all__)


def test_likeliest_is_what_argmax_says_also_of_equals():
    logits = jnp.asarray(np.random.default_rng(0).integers(0, 3, (200, 5)), jnp.float32)
    targets = jnp.arange(200) % 5
    mask = jnp.ones(200, bool)
    expected = (jnp.argmax(logits, axis=-1) == targets).sum()
    assert cross_entropy(logits, targets, mask).num_correct == expected
    assert 0 < expected < 200


def test_convolution_is_that_of_its_definition():
    generator = np.random.default_rng(0)
    image = generator.normal(size=(2, 5, 6, 3))
    kernel = generator.normal(size=(KERNEL, KERNEL, 3, 4))
    padded = np.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)))
    expected = np.zeros((2, 5, 6, 4))
    for y in range(5):
        for x in range(6):
            expected[:, y, x] = np.einsum("byxc,yxcf->bf", padded[:, y : y + 3, x : x + 3], kernel)
    found = convolve(jnp.asarray(image, jnp.float32), jnp.asarray(kernel.reshape(-1, 4), jnp.float32))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_sizes_of_a_cnn_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="30 x 32 pixels cannot be halved twice"):
        CnnSizes(height=30)
    with pytest.raises(ValueError, match="32 filters cannot be divided into 24 groups"):
        CnnSizes(num_groups=24)
