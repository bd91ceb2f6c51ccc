"""A store that hashes a file on the way, so that it need not be read twice to know that it is the right one."""

from __future__ import annotations

import hashlib
from pathlib import Path

from groupstream.errors import CorruptError
from groupstream.stores import Store


class HashedStore:
    """A store of which one file is read from start to end; bytes that are read again count once.

    It has no `local_path`: whoever reads the file must do so through it.

    Args:
        store: where the file lies.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._hash = hashlib.sha256()
        self._hashed_bytes = 0

    @property
    def root(self) -> str:
        """See `Store.root`."""
        return self._store.root

    def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        """See `Store.read`."""
        data = self._store.read(path, offset, length)
        if offset <= self._hashed_bytes < offset + len(data):
            self._hash.update(memoryview(data)[self._hashed_bytes - offset :])
            self._hashed_bytes = offset + len(data)
        return data

    def size_bytes(self, path: str) -> int | None:
        """See `Store.size_bytes`."""
        return self._store.size_bytes(path)

    def folders(self, path: str) -> list[str]:
        """See `Store.folders`."""
        return self._store.folders(path)

    def put_if_absent(self, path: str, source: bytes | Path) -> bool:
        """See `Store.put_if_absent`."""
        return self._store.put_if_absent(path, source)

    def require(self, path: str, sha256: str) -> None:
        """Refuses what is not the file that the manifest describes.

        Raises:
            CorruptError: its bytes are others, or not all of it was read.
        """
        if (found := self._hash.hexdigest()) != sha256:
            raise CorruptError(
                f"{self.root}/{path} has sha256 {found}, its manifest says {sha256}. Pull the version again"
            )
