"""Fine-tuning: a client makes the common model its own by a few steps on its own examples.

Source: Yu, Bagdasaryan and Shmatikov, "Salvaging Federated Learning by Local Adaptation", 2020, section 4.1 ("FT").
"""

from __future__ import annotations

import jax

from training.algorithms.algorithm import Setup
from training.algorithms.local_steps import train_locally
from training.models import Batch, Params


def fine_tune(setup: Setup, params: Params, batches: Batch, learning_rate: jax.Array) -> Params:
    """The model after one step of SGD for each batch.

    Args:
        batches: each array [steps, batch, ...]; steps without a target do nothing.
    """
    return train_locally(setup, params, batches, learning_rate).params
