"""Which share of what the devices can do is the model's arithmetic."""

from __future__ import annotations

from types import SimpleNamespace

import pyarrow as pa
import pytest

from training.devices import matrix_rate
from training.models import LogisticRegressionSizes, TransformerSizes, flops_per_token
from training.utilization import model_flop_utilization

SIZES = TransformerSizes(num_layers=2, num_heads=2, width=8, vocabulary_size=16, sequence_length=4)
ROUNDS = pa.table(
    {
        "algorithm": ["fedavg"] * 3 + ["fedsgd"] * 2,
        "seed": [0, 0, 0, 1, 1],
        "num_targets": [100, 100, 100, 200, 200],
        "seconds": [50.0, 2.0, 2.0, 1.0, 1.0],  # the first compiles
    }
)
RATES = {"fedavg, seed 0": 1e6, "fedsgd, seed 1": 4e6}


def problem(sizes):
    return SimpleNamespace(sizes=sizes)


def test_it_is_what_the_model_needs_over_what_the_devices_do_in_that_time():
    of_fedavg = 100 * flops_per_token(SIZES) / 2.0 / 1e6
    assert model_flop_utilization(problem(SIZES), ROUNDS, RATES) == pytest.approx(of_fedavg)


def test_it_is_not_known_without_a_transformer_or_a_round():
    assert model_flop_utilization(problem(LogisticRegressionSizes(3, 2)), ROUNDS, RATES) is None
    assert model_flop_utilization(problem(SIZES), ROUNDS.slice(0, 0), RATES) is None


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_device_multiplies_matrices(dtype):
    assert 1e8 < matrix_rate(dtype) < 1e18
