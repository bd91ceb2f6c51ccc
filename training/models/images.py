"""Pixels as numbers."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def scale_pixels(image: jax.Array, dtype: jnp.dtype) -> jax.Array:
    """uint8 to numbers from -1 to 1: the same for every client, so nothing of an image's own statistics is needed."""
    return image.astype(dtype) / 127.5 - 1
