"""Federated training on a published version: algorithms, models, clients from the reader's stream, evaluation.

JAX is used here and nowhere else. An algorithm is two pure functions (`training.algorithms`), a model is two more
(`training.models`), and what a client trains on is an array (`training.data`).
"""
