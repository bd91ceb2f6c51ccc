"""How much of what the devices can do the model's arithmetic is."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

import pyarrow as pa

from training.models import TransformerSizes, flops_per_token
from training.problem import Problem


def model_flop_utilization(problem: Problem, rounds: pa.Table, matrix_rates: Mapping[str, float]) -> float | None:
    """The operations that the model needs for the targets of a round, over those of large products in that time.

    The median of all rounds, so that compiling does not count; waiting for data does. None where the model is no
    transformer.

    Args:
        rounds: see `rounds_table`.
        matrix_rates: of the devices of each trial, in FLOP/s, by its name.

    Source: Chowdhery et al., "PaLM: Scaling Language Modeling with Pathways", 2022, appendix B. Ours differs: what the
    devices can do is measured, not what their maker says.
    """
    if not isinstance(problem.sizes, TransformerSizes) or not len(rounds):
        return None
    flops = flops_per_token(problem.sizes)
    columns = (rounds[name].to_pylist() for name in ("algorithm", "seed", "num_targets", "seconds"))
    return median(
        number * flops / seconds / matrix_rates[f"{label}, seed {seed}"]
        for label, seed, number, seconds in zip(*columns, strict=True)
    )
