"""Runs to make reports of. Their numbers are drawn: they are no results of anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pytest

from cards.training import EVALUATION_SCHEMA, ROUNDS_SCHEMA, TrainingFacts

MakeFacts = Callable[..., TrainingFacts]
MakeEvaluation = Callable[..., pa.Table]
MakeRounds = Callable[..., pa.Table]

SETTINGS = """dataset: text@1.0.0
algorithms:
  FedAvg: {client: sgd, client_learning_rate: 0.1}
  FedSGD: {server: adam, server_learning_rate: 0.001}
rounds: 1500
"""


@pytest.fixture
def make_facts() -> MakeFacts:
    def make(**changes: object) -> TrainingFacts:
        fields = {
            "dataset": "text@1.0.0",
            "model": "decoder of 12 layers, 768 wide",
            "num_parameters": 108_341_760,
            "num_rounds": 1500,
            "cohort_size": 16,
            "num_local_steps": 64,
            "batch_size": 16,
            "seeds": (0, 1, 2),
            "device": "1 accelerator of 80 GB",
            "protocol": "held_out",
            "num_targets_seen": {"FedAvg": 3_145_728_000, "FedSGD": 3_145_728_000},
            "wall_seconds": 40_211.0,
            "peak_memory_bytes": 61_200_000_000,
            "model_flop_utilization": 0.412,
            "counts": {
                "examples repeated": 81_204,
                "steps padded": 1_204,
                "texts cut": 0,
                "clients without targets": 3,
            },
            "settings": SETTINGS,
            "groupstream_version": "0.1.0",
        }
        return TrainingFacts(**(fields | changes))

    return make


@pytest.fixture
def make_rounds() -> MakeRounds:
    """Of so many rounds; the loss falls from 10 to where each algorithm ends, faster the lower that is."""

    def make(ends: Mapping[str, float], num_rounds: int, seeds: Sequence[int] = (0,)) -> pa.Table:
        parts = [_rounds(name, end, num_rounds, seed) for name, end in ends.items() for seed in seeds]
        return pa.concat_tables(parts) if parts else ROUNDS_SCHEMA.empty_table()

    return make


def _rounds(algorithm: str, end: float, num_rounds: int, seed: int) -> pa.Table:
    random, number = np.random.default_rng([seed, len(algorithm)]), np.arange(num_rounds)
    loss = end + (10.4 - end) * np.exp(-number / (0.12 * num_rounds)) + random.normal(0, 0.12, num_rounds)
    waited = random.gamma(1.2, 0.01, num_rounds)
    columns = {
        "algorithm": [algorithm] * num_rounds,
        "seed": [seed] * num_rounds,
        "round": number,
        "loss_before": loss,
        "loss_during": loss - 0.2,
        "accuracy_before": 0.6 * np.exp(-loss / 4),
        "num_targets": random.integers(400_000, 520_000, num_rounds).astype(float),
        "num_steps": np.full(num_rounds, 64.0),
        "update_norm": 3 * np.exp(-number / num_rounds) + random.gamma(2, 0.1, num_rounds),
        "client_learning_rate": np.full(num_rounds, 0.1),
        "server_learning_rate": 1e-3 * np.minimum((number + 1) / (0.1 * num_rounds), 1) * np.cos(number / num_rounds),
        "seconds": np.where(number == 0, 41.0, 0.62) + waited,
        "data_seconds": waited,
    }
    return pa.table([pa.array(columns[f.name], f.type) for f in ROUNDS_SCHEMA], schema=ROUNDS_SCHEMA)


@pytest.fixture
def make_evaluation() -> MakeEvaluation:
    """By algorithm, the median losses before and after; rates other than 0.1 make the loss after higher."""

    def make(
        medians: Mapping[str, tuple[float, float]],
        num_groups: int,
        seeds: Sequence[int] = (0,),
        rates: Sequence[float] = (0.01, 0.1, 1.0),
    ) -> pa.Table:
        parts = [
            _evaluation(*one, num_groups, seed, rate) for one in medians.items() for seed in seeds for rate in rates
        ]
        return pa.concat_tables(parts) if parts else EVALUATION_SCHEMA.empty_table()

    return make


def _evaluation(algorithm: str, medians: tuple[float, float], num_groups: int, seed: int, rate: float) -> pa.Table:
    random = np.random.default_rng([seed, len(algorithm)])
    hardness = np.random.default_rng(0).lognormal(0, 0.18, num_groups)
    before = medians[0] * hardness * random.lognormal(0, 0.03, num_groups)
    after = before * (medians[1] / medians[0]) * random.lognormal(0, 0.12, num_groups)
    after += 0.2 * abs(np.log10(rate / 0.1))
    columns = {
        "algorithm": [algorithm] * num_groups,
        "seed": [seed] * num_groups,
        "group_id": [b"www.site-%d.example" % i for i in range(num_groups)],
        "learning_rate": np.full(num_groups, rate),
        "num_targets": random.integers(1000, 90_000, num_groups),
        "loss_before": before,
        "loss_after": after,
        "accuracy_before": np.exp(-before / 2.4),
        "accuracy_after": np.exp(-after / 2.4),
        "is_selection": np.arange(num_groups) % 5 == 0,
    }
    return pa.table([pa.array(columns[f.name], f.type) for f in EVALUATION_SCHEMA], schema=EVALUATION_SCHEMA)
