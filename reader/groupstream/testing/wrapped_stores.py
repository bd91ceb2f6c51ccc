"""Stores around a store, for tests: they count what is read, or do harm to it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from groupstream.stores import Store


class WrappedStore:
    """Another store, of which each read passes through a function.

    Args:
        store: what is wrapped.
        change: called as `change(path, offset, data)` after each read; gives what is returned, or raises.

    >>> from groupstream.stores import LocalStore
    >>> store = WrappedStore(LocalStore("."), lambda path, offset, data: data.upper())
    """

    def __init__(self, store: Store, change: Callable[[str, int, bytes], bytes]) -> None:
        self._store = store
        self._change = change

    @property
    def root(self) -> str:
        """See `Store.root`."""
        return self._store.root

    def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        """See `Store.read`."""
        return self._change(path, offset, self._store.read(path, offset, length))

    def size_bytes(self, path: str) -> int | None:
        """See `Store.size_bytes`."""
        return self._store.size_bytes(path)

    def folders(self, path: str) -> list[str]:
        """See `Store.folders`."""
        return self._store.folders(path)

    def put_if_absent(self, path: str, source: bytes | Path) -> bool:
        """See `Store.put_if_absent`."""
        return self._store.put_if_absent(path, source)


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
