"""Where a trial stands, on disk, so that it can go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp


class Checkpoints:
    """The newest states of a trial, by round. A context manager; at its end all is written.

    A checkpoint appears whole or not at all: Orbax writes it beside its place and renames it.
    """

    def __init__(self, folder: Path) -> None:
        options = ocp.CheckpointManagerOptions(max_to_keep=2, create=True)
        self._manager = ocp.CheckpointManager(folder.absolute(), options=options)

    def __enter__(self) -> Checkpoints:
        return self

    def __exit__(self, *error: object) -> None:
        self._manager.close()

    def newest_round(self) -> int:
        """How many rounds were done in the newest checkpoint; 0 without one."""
        return self._manager.latest_step() or 0

    def restore(self, like: Any) -> Any:
        """The state of the newest checkpoint.

        Args:
            like: a state of the same shapes.
        """
        shapes = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
        return self._manager.restore(self._manager.latest_step(), args=ocp.args.StandardRestore(shapes))

    def save(self, num_rounds: int, state: Any) -> None:
        """Keeps a state after so many rounds. Returns when it is on disk."""
        self._manager.save(num_rounds, args=ocp.args.StandardSave(state))
        self._manager.wait_until_finished()
