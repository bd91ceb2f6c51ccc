"""From a spec to what is computed."""

from __future__ import annotations

import functools

import jax
import numpy as np
import optax
from jax.sharding import Mesh

from training.algorithms import ALGORITHMS, Algorithm, OverClients, Setup
from training.algorithms.over_clients import CLIENTS
from training.algorithms.server_optimizers import SERVER_OPTIMIZERS
from training.models import Model
from training.schedules import schedule
from training.spec_algorithms import AnyAlgorithm, Client, FedSgd, Rate, Server

AT_ONCE_ON_GPU = 4


@functools.lru_cache(maxsize=1)
def build_algorithm(
    algorithm: AnyAlgorithm, model: Model, num_rounds: int, over_clients: OverClients, num_clients: int
) -> Algorithm:
    """An algorithm of a spec, which is compiled once for all seeds.

    Args:
        num_clients: how many groups take part in training.
    """
    options = algorithm.options()
    if algorithm.kind == "scaffold":
        options["num_clients"] = num_clients
    built = ALGORITHMS[algorithm.kind](_setup(algorithm, model, num_rounds, over_clients), **options)
    return built._replace(apply=jax.jit(built.apply, donate_argnums=0), init=jax.jit(built.init))


def _setup(algorithm: AnyAlgorithm, model: Model, num_rounds: int, over_clients: OverClients) -> Setup:
    """What the algorithm is made of."""
    client = Client() if isinstance(algorithm, FedSgd) else algorithm.client
    return Setup(
        loss=model.loss,
        server_optimizer=_server_optimizer(algorithm.server, num_rounds),
        client_learning_rate=build_rate(client.rate, num_rounds),
        client_momentum=client.momentum,
        client_clip_norm=client.clip_norm,
        weighting=algorithm.weighting,
        over_clients=over_clients,
    )


def _server_optimizer(server: Server, num_rounds: int) -> optax.GradientTransformation:
    return SERVER_OPTIMIZERS[server.optimizer](build_rate(server.rate, num_rounds), server.epsilon)


def build_rate(rate: Rate, num_rounds: int) -> optax.Schedule:
    """A learning rate by round."""
    return schedule(rate.decay, rate.peak, num_rounds, rate.warmup)


def spread(num_clients: int, at_once: int | None) -> OverClients:
    """How clients are spread over the devices that there are: all devices, if they divide the cohort.

    Args:
        at_once: a device's clients at once, at most; fewer if that does not divide its share. None for 1 on a CPU and 4
            on a GPU.
    """
    devices = jax.devices()
    while num_clients % len(devices):
        devices = devices[:-1]
    mesh = Mesh(np.array(devices), CLIENTS) if len(devices) > 1 else None
    share = num_clients // len(devices)
    most = at_once or (1 if devices[0].platform == "cpu" else AT_ONCE_ON_GPU)
    return OverClients(max(number for number in range(1, most + 1) if share % number == 0), mesh)
