"""What was read of a store, for tests."""

from __future__ import annotations

import json
import os
from pathlib import Path


class ReadLog:
    """What was read, in a file, so that it outlives the process. Several processes may write it at once.

    Use `log.note` as the function of a `WrappedStore`.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def note(self, path: str, offset: int, data: bytes) -> bytes:
        """Notes a read; gives the data as they are."""
        handle = os.open(self._file, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o644)
        try:
            os.write(handle, json.dumps([path, offset, len(data)]).encode() + b"\n")
        finally:
            os.close(handle)
        return data

    def reads(self) -> list[tuple[str, int, int]]:
        """Path, offset and length of each read, in order."""
        if not self._file.exists():
            return []
        return [tuple(json.loads(line)) for line in self._file.read_text().splitlines()]

    def num_bytes(self, ending: str = "") -> int:
        """How many bytes were read in all, of files whose path ends so; manifests are left out."""
        return sum(
            size for path, _, size in self.reads() if path.endswith(ending) and not path.endswith("manifest.json")
        )
