"""What clients keep from one round to the next, in files: as many as have taken part, whatever memory there is.

A file is one client after one round: `<hash of its id>-<round>.npy`, all its arrays in one row of float32. What a round
finds is what the newest earlier round left. So a run that goes on at round 400 finds what round 399 found, though a run
that was killed had come to round 420.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from training.data.clients import PackedCohort
from training.files import write_whole


class ClientStates:
    """The states of the clients of one trial.

    Args:
        folder: its own.
        start_round: where the trial goes on; what this and later rounds left is removed.
    """

    def __init__(self, folder: Path, start_round: int) -> None:
        self._folder = folder
        self._rounds: dict[str, list[int]] = {}
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(folder.glob("*.npy")):
            client, _, number = path.stem.rpartition("-")
            if int(number) < start_round:
                self._rounds.setdefault(client, []).append(int(number))
            else:
                path.unlink()

    def load(self, cohort: PackedCohort, first: Any) -> Any:
        """What the clients of a round find: a tree whose arrays are [cohort, ...].

        Args:
            first: what a client finds that takes part for the first time, and a place without a client.
        """
        if not jax.tree.leaves(first):
            return first
        row, as_tree = ravel_pytree(first)
        rows = np.tile(np.asarray(row), (len(cohort.num_targets), 1))
        for place, group_id in enumerate(cohort.group_ids):
            client = _name(group_id)
            if client in self._rounds:
                rows[place] = np.load(self._path(client, self._rounds[client][-1]))
        return jax.vmap(as_tree)(jnp.asarray(rows))

    def save(self, round_: int, cohort: PackedCohort, states: Any) -> None:
        """Writes what the clients of a round keep."""
        if not jax.tree.leaves(states):
            return
        rows = np.asarray(jax.vmap(lambda tree: ravel_pytree(tree)[0])(states))
        for group_id, row in zip(cohort.group_ids, rows, strict=False):
            client = _name(group_id)
            content = io.BytesIO()
            np.save(content, row)
            write_whole(self._path(client, round_), content.getvalue())
            self._rounds.setdefault(client, []).append(round_)

    def forget_before(self, round_: int) -> None:
        """Removes what no run needs that goes on at this round: of each client all but the newest before it."""
        for client, numbers in self._rounds.items():
            kept = [number for number in numbers if number >= round_]
            before = [number for number in numbers if number < round_]
            for number in before[:-1]:
                self._path(client, number).unlink()
            self._rounds[client] = before[-1:] + kept

    def _path(self, client: str, round_: int) -> Path:
        return self._folder / f"{client}-{round_:08d}.npy"


def _name(group_id: bytes) -> str:
    return hashlib.blake2b(group_id, digest_size=16).hexdigest()
