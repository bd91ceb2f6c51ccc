"""The hash of a file that is read from start to end, so that it need not be read twice to know it is the right one."""

from __future__ import annotations

import hashlib

from groupstream.errors import CorruptError


class ReadHash:
    """Of the file that a `WrappedStore` is read for: `note` is its function. Bytes that are read again count once."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._hashed_bytes = 0

    def note(self, path: str, offset: int, data: bytes) -> bytes:
        """Takes what was read; gives it as it is."""
        if offset <= self._hashed_bytes < offset + len(data):
            self._hash.update(memoryview(data)[self._hashed_bytes - offset :])
            self._hashed_bytes = offset + len(data)
        return data

    def require(self, where: str, sha256: str) -> None:
        """Refuses what is not the file that the manifest describes.

        Args:
            where: names the file in the error.

        Raises:
            CorruptError: its bytes are others, or not all of it was read.
        """
        if (found := self._hash.hexdigest()) != sha256:
            raise CorruptError(f"{where} has sha256 {found}, its manifest says {sha256}. Pull the version again")
