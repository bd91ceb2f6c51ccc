"""What the server does with the pseudo-gradient: FedOpt's optimizers.

Source: Reddi et al., "Adaptive Federated Optimization", 2021: FedAdagrad, FedYogi and FedAdam (algorithm 2) with the
paper's decays, and FedAvgM (Hsu et al., "Measuring the Effects of Non-Identical Data Distribution for Federated Visual
Classification", 2019). Ours differs as Optax does: Adam and Yogi correct the bias of their first rounds, Yogi begins
with a second moment of 1e-6, and Adagrad adds the square of epsilon under the root rather than epsilon to it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import optax

ServerOptimizer = Literal["sgd", "momentum", "adam", "yogi", "adagrad"]

MakeOptimizer = Callable[[optax.ScalarOrSchedule, float], optax.GradientTransformation]

SERVER_OPTIMIZERS: dict[ServerOptimizer, MakeOptimizer] = {
    "sgd": lambda rate, epsilon: optax.sgd(rate),
    "momentum": lambda rate, epsilon: optax.sgd(rate, momentum=0.9),
    "adam": lambda rate, epsilon: optax.adam(rate, b1=0.9, b2=0.99, eps=epsilon),
    "yogi": lambda rate, epsilon: optax.yogi(rate, b1=0.9, b2=0.99, eps=epsilon),
    "adagrad": lambda rate, epsilon: optax.adagrad(rate, initial_accumulator_value=0.0, eps=epsilon**2),
}
"""By name; each takes a learning rate, or a schedule of the round, and an epsilon, which keeps small numbers small."""
