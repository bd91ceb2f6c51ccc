"""The algorithms once more, in float64 and NumPy, client by client and step by step, as their papers have them."""

from __future__ import annotations

import numpy as np


def gradient(weights: np.ndarray, features: np.ndarray, label: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Of the mean loss of logistic regression. `weights` [num_features + 1, num_classes], the bias last."""
    inputs = np.concatenate([features, np.ones((len(features), 1))], 1).astype(np.float64)
    logits = inputs @ weights
    chances = np.exp(logits - logits.max(1, keepdims=True))
    chances /= chances.sum(1, keepdims=True)
    chances[np.arange(len(label)), label] -= 1
    return inputs.T @ (chances * mask[:, None]) / max(mask.sum(), 1)


class Client:
    """The batches of one client."""

    def __init__(self, cohort, place: int) -> None:
        arrays = [np.asarray(cohort.batches[name][place]) for name in ("features", "label", "mask")]
        self.batches = list(zip(*arrays, strict=True))
        self.all = tuple(np.concatenate(list(array)) for array in arrays)
        self.num_targets = float(self.all[2].sum())

    def train(self, weights, rate, correct=lambda gradient, weights: gradient, momentum=0.0):
        velocity = np.zeros_like(weights)
        for batch in self.batches:
            if batch[2].any():
                velocity = momentum * velocity + correct(gradient(weights, *batch), weights)
                weights = weights - rate * velocity
        return weights

    @property
    def num_steps(self) -> int:
        return sum(bool(batch[2].any()) for batch in self.batches)


def clients_of(cohort) -> tuple[list[Client], np.ndarray]:
    """The clients, and the share of each by its targets."""
    clients = [Client(cohort, place) for place in range(len(cohort.num_targets))]
    shares = np.array([client.num_targets for client in clients])
    return clients, shares / shares.sum()


def fedavg(x, cohort, rate, correct=lambda g, y, x: g, momentum=0.0):
    clients, shares = clients_of(cohort)
    models = [client.train(x, rate, lambda g, y: correct(g, y, x), momentum) for client in clients]
    return sum(share * model for share, model in zip(shares, models, strict=True))


def fedsgd(x, cohort, rate):
    clients, shares = clients_of(cohort)
    return x - rate * sum(share * gradient(x, *client.all) for share, client in zip(shares, clients, strict=True))


def fedprox(x, cohort, rate, mu):
    return fedavg(x, cohort, rate, lambda g, y, x: g + mu * (y - x))


def reptile(x, cohort, rate):
    clients, _ = clients_of(cohort)
    return np.mean([client.train(x, rate) for client in clients], 0)


def fednova(x, cohort, rate, momentum=0.0):
    clients, shares = clients_of(cohort)
    totals = [sum(sum(momentum**later for later in range(n - step)) for step in range(n)) for n in nums(clients)]
    normalised = [(x - c.train(x, rate, momentum=momentum)) / total for c, total in zip(clients, totals, strict=True)]
    effective = sum(share * total for share, total in zip(shares, totals, strict=True))
    return x - effective * sum(share * change for share, change in zip(shares, normalised, strict=True))


def nums(clients) -> list[int]:
    return [client.num_steps for client in clients]


def mime_lite(x, momentum, cohort, rate, beta):
    """The next model and the next momentum."""
    clients, shares = clients_of(cohort)
    full = sum(share * gradient(x, *client.all) for share, client in zip(shares, clients, strict=True))
    new = fedavg(x, cohort, rate, lambda g, y, x: (1 - beta) * g + beta * momentum)
    return new, (1 - beta) * full + beta * momentum


def scaffold(x, c, own, cohort, rate, num_clients):
    """The next model, the server's control variate, and the clients'."""
    clients, shares = clients_of(cohort)
    models = [
        client.train(x, rate, lambda g, y, mine=mine: g - mine + c) for client, mine in zip(clients, own, strict=True)
    ]
    new = [mine - c + (x - model) / (n * rate) for mine, model, n in zip(own, models, nums(clients), strict=True)]
    model = sum(share * model for share, model in zip(shares, models, strict=True))
    change = sum(share * (now - mine) for share, now, mine in zip(shares, new, own, strict=True))
    return model, c + len(clients) / num_clients * change, new


def ditto(x, own, cohort, rate, lambda_):
    """The next common model, and the clients' own."""
    clients, _ = clients_of(cohort)
    new = [
        client.train(mine, rate, lambda g, v: g + lambda_ * (v - x)) for client, mine in zip(clients, own, strict=True)
    ]
    return fedavg(x, cohort, rate), new
