"""Learning rates as functions of the round."""

from __future__ import annotations

import jax.numpy as jnp
import optax

from training.spec_algorithms import Decay

FINAL_SHARE = 1e-2
"""Share of the peak that is left at the end of an exponential decay. A cosine ends at 0."""


def schedule(decay: Decay, peak: float, num_rounds: int, warmup: float = 0.0) -> optax.Schedule:
    """A learning rate for each round, from 0 to `num_rounds` - 1.

    >>> rates = schedule("cosine", peak=1.0, num_rounds=100, warmup=0.1)
    >>> [round(float(rates(round_)), 2) for round_ in (0, 4, 9, 10, 55, 99)]
    [0.1, 0.5, 1.0, 1.0, 0.5, 0.0]

    Args:
        decay: after the warm-up: the peak for ever; down to a hundredth of it, by the same factor each round; or down
            to 0 by half a cosine.
        peak: above 0.
        warmup: share of the rounds, from 0 to below 1, in which it rises to the peak, each round by the same amount.
    """
    num_warmup = round(warmup * num_rounds)
    num_decay = max(num_rounds - num_warmup, 1)
    after: dict[Decay, optax.Schedule] = {
        "constant": optax.constant_schedule(peak),
        "exponential": optax.exponential_decay(peak, num_decay, FINAL_SHARE),
        "cosine": optax.cosine_decay_schedule(peak, num_decay),
    }
    decayed = after[decay]

    def rate(round_: optax.base.Numeric) -> optax.base.Numeric:
        rising = peak * (round_ + 1) / max(num_warmup, 1)
        return jnp.where(round_ < num_warmup, rising, decayed(jnp.maximum(round_ - num_warmup, 0)))

    return rate
