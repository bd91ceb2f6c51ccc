"""How far a build is: each worker writes its own small file, whoever wants to know adds them up.

That works the same for one process and for many on one shared staging area.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from dataclasses import asdict, dataclass, fields
from pathlib import Path

_SECONDS_BETWEEN_WRITES = 0.3


@dataclass
class Progress:
    """What has been done so far. Work that is done again after a failure counts again."""

    pieces: int = 0
    examples: int = 0
    shards: int = 0

    def add(self, other: Progress) -> None:
        """Adds to each count."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


class ProgressWriter:
    """The counts of one worker.

    Args:
        folder: where they are written; None to keep them to oneself.
    """

    def __init__(self, folder: Path | None) -> None:
        self._path = folder and folder / f"{uuid.uuid4().hex}.json"
        self._progress = Progress()
        self._written_at = 0.0

    def add(self, *, pieces: int = 0, examples: int = 0, shards: int = 0) -> None:
        """Adds to the counts; they are written from time to time."""
        self._progress.add(Progress(pieces, examples, shards))
        if self._path is None:
            return
        if pieces or shards or time.monotonic() - self._written_at > _SECONDS_BETWEEN_WRITES:
            self._write()

    def _write(self) -> None:
        assert self._path is not None
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text(json.dumps(asdict(self._progress)))
        os.replace(temporary, self._path)
        self._written_at = time.monotonic()


def read_progress(folder: Path | None) -> Progress:
    """The counts of all workers together."""
    progress = Progress()
    for path in folder.glob("*.json") if folder else ():
        progress.add(Progress(**json.loads(path.read_text())))
    return progress
