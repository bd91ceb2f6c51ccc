"""Reptile: a first-order meta-learner. Every task counts the same, and the server goes a part of the way to their mean.

It is FedAvg without weights, whose server's SGD has the learning rate epsilon: what FedAvg is as a meta-learner.

Source: Nichol, Achiam and Schulman, "On First-Order Meta-Learning Algorithms", 2018, algorithm 2 (its batched form),
where epsilon is from 0.1 to 1 and goes to 0 in the course of training.
"""

from __future__ import annotations

from dataclasses import replace

from training.algorithms.algorithm import Algorithm, Setup
from training.algorithms.fedavg import fedavg


def reptile(setup: Setup) -> Algorithm:
    """Reptile. The learning rate of the server's optimizer, to be SGD, is epsilon."""
    return fedavg(replace(setup, weighting="uniform"))
