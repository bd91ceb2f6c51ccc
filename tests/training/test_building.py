"""How algorithms are compiled, and clients spread over devices."""

from __future__ import annotations

import jax
import pytest

from training.building import build_algorithm, spread
from training.models import LogisticRegressionSizes, logistic_regression
from training.spec_algorithms import Client, FedAvg, Rate


def test_an_algorithm_is_compiled_once_however_many_seeds_there_are():
    model, over = logistic_regression(LogisticRegressionSizes(3, 2)), spread(4, None)
    one, again = (build_algorithm(FedAvg(), model, 10, over, 20) for _ in range(2))
    assert one is again
    other = FedAvg(client=Client(rate=Rate(peak=0.2)))
    assert build_algorithm(other, model, 10, over, 20) is not one


@pytest.mark.parametrize(
    ("num_clients", "at_once", "num_devices", "found"),
    [(12, None, 4, 1), (12, 2, 4, 1), (12, 3, 4, 3), (12, 100, 4, 3), (10, 100, 2, 5), (7, 100, 1, 7), (7, 6, 1, 1)],
)
def test_as_many_clients_at_once_as_divide_the_share_of_a_device(num_clients, at_once, num_devices, found):
    assert len(jax.devices()) == 4, "as conftest.py has it"
    over = spread(num_clients, at_once)
    assert (over.mesh.size if over.mesh else 1) == num_devices
    assert over.at_once == found
