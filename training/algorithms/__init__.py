"""Federated algorithms: each one small file of pure functions.

`ALGORITHMS` has them all, by name: each takes a `Setup` and what only it has, and gives an `Algorithm`.
"""

from collections.abc import Callable

from training.algorithms.algorithm import Algorithm, Cohort, Metrics, Round, ServerState, Setup
from training.algorithms.ditto import ditto
from training.algorithms.fedavg import fedavg
from training.algorithms.fednova import fednova
from training.algorithms.fedprox import fedprox
from training.algorithms.fedsgd import fedsgd
from training.algorithms.mime_lite import mime_lite
from training.algorithms.over_clients import OverClients
from training.algorithms.reptile import reptile
from training.algorithms.scaffold import scaffold

ALGORITHMS: dict[str, Callable[..., Algorithm]] = {
    "fedsgd": fedsgd,
    "fedavg": fedavg,
    "fedprox": fedprox,
    "scaffold": scaffold,
    "fednova": fednova,
    "mime_lite": mime_lite,
    "reptile": reptile,
    "ditto": ditto,
}

__all__ = ["ALGORITHMS", "Algorithm", "Cohort", "Metrics", "OverClients", "Round", "ServerState", "Setup"]
