"""Files of a version, read from wherever they lie."""

from __future__ import annotations

from pathlib import Path

from groupstream.errors import CorruptError
from groupstream.stores import LocalStore, Store


def read_stored(store: Store, path: str, offset: int = 0, length: int | None = None) -> bytes:
    """The bytes of a file of a version, or of a range of it.

    Raises:
        CorruptError: the file is missing.
    """
    try:
        return store.read(path, offset, length)
    except FileNotFoundError as error:
        raise CorruptError(f"{store.root}/{path} is missing. Pull the version again") from error


def local_path(store: Store, path: str) -> Path | None:
    """The file on this machine, None where the store is elsewhere. It need not exist."""
    return Path(store.root) / path if isinstance(store, LocalStore) else None
