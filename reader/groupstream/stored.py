"""Files of a version, read from wherever they lie."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

from groupstream.errors import CorruptError
from groupstream.layout import MANIFEST
from groupstream.stores import Store


@runtime_checkable
class HoldsFiles(Protocol):
    """A store that has some of its objects as files of this machine."""

    def local_path(self, path: str) -> Path | None:
        """The file, None where the object is elsewhere. The file need not exist."""
        ...


def local_path(store: Store, path: str) -> Path | None:
    """The file of this machine, None where the object is elsewhere."""
    return store.local_path(path) if isinstance(store, HoldsFiles) else None


def read_stored(store: Store, path: str, offset: int = 0, length: int | None = None) -> bytes:
    """The bytes of a file of a version, or of a range of it.

    Raises:
        CorruptError: the file is missing.
    """
    try:
        return store.read(path, offset, length)
    except FileNotFoundError as error:
        raise missing_file(store, path) from error


def read_manifest_file(store: Store, folder: str) -> bytes:
    """The bytes of the manifest of a version that was just found.

    Raises:
        CorruptError: it is gone: who removed it left it in the catalog, or removed it this moment.
    """
    path = f"{folder}/{MANIFEST}"
    try:
        return store.read(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CorruptError(
            f"{store.root}/{path} is missing, though the catalog has the version. Open another one, and have the store "
            "mended with: groupstream doctor"
        ) from error


def missing_file(store: Store, path: str) -> CorruptError:
    """The error for a file that the manifest names and the folder lacks."""
    return CorruptError(
        f"{store.root}/{path} is missing. Get it with: groupstream pull REF (maybe only some splits were pulled)"
    )
