"""How far a build is: each worker writes its own small file, whoever wants to know adds them up.

That works the same for one process and for many on one shared staging area. Where workers share no disk they count in
Beam, and whoever watches the job writes what it has counted.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from apache_beam.metrics import Metrics

NAMESPACE = "groupstream"  # of the counters in Beam
_SECONDS_BETWEEN_WRITES = 0.3


@dataclass
class Progress:
    """What has been done so far. Work that is done again after a failure counts again.

    Attributes:
        pieces: of the source, read to their end.
        examples: read.
        read_bytes: of those examples in memory, about.
        num_shards: to be written; 0 until all is read.
        shards: written.
        shard_bytes: of those.
        counted_pieces: read to their end before that, to count what is in them. So are the other two.
    """

    pieces: int = 0
    examples: int = 0
    read_bytes: int = 0
    num_shards: int = 0
    shards: int = 0
    shard_bytes: int = 0
    counted_pieces: int = 0
    counted_examples: int = 0
    counted_bytes: int = 0

    def add(self, other: Progress) -> None:
        """Adds to each count."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


class ProgressWriter:
    """The counts of one worker.

    Args:
        folder: where they are written; None to count in Beam.
    """

    def __init__(self, folder: Path | None) -> None:
        self._path = folder and folder / f"{uuid.uuid4().hex}.json"
        self._progress = Progress()
        self._written_at = 0.0

    def add(self, **counts: int) -> None:
        """Adds to the counts of `Progress`; they are written from time to time."""
        done = Progress(**counts)
        self._progress.add(done)
        if self._path is None:
            for name, count in asdict(done).items():
                Metrics.counter(NAMESPACE, name).inc(count)
            return
        is_rare = done.pieces or done.counted_pieces or done.num_shards or done.shards
        if is_rare or time.monotonic() - self._written_at > _SECONDS_BETWEEN_WRITES:
            self._write()

    def _write(self) -> None:
        assert self._path is not None
        write_progress(self._path, self._progress)
        self._written_at = time.monotonic()


def write_progress(path: Path, progress: Progress) -> None:
    """Writes the counts of one worker, or of a job, to a file of the folder that `read_progress` reads."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(asdict(progress)))
    os.replace(temporary, path)


def read_progress(folder: Path | None) -> Progress:
    """The counts of all workers together."""
    progress = Progress()
    for path in folder.glob("*.json") if folder else ():
        with suppress(FileNotFoundError):  # of an earlier build, and removed meanwhile
            progress.add(Progress(**json.loads(path.read_text())))
    return progress
