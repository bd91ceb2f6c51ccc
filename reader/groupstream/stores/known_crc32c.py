"""The CRC32C that a store has of an object, so that it need not be read to be compared."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from groupstream.stores.store import Store, StoredObject

_FROM_GOOGLE = "crc32c:"


@runtime_checkable
class KnowsCrc32c(Protocol):
    """A store that keeps the CRC32C of its objects, and does not tell it in `StoredObject.checksum`."""

    def crc32c(self, path: str) -> str | None:
        """Eight hexadecimal digits; None where the store has none of this object.

        Raises:
            FileNotFoundError: no such object.
        """
        ...


def crc32c_in(store: Store, path: str, found: StoredObject | None = None) -> str | None:
    """What the store has of an object; None where it would have to be read. At most two requests.

    Args:
        found: what the store said of the object, where it was asked already.
    """
    found = found or store.stat(path)
    if found is not None and found.checksum and found.checksum.startswith(_FROM_GOOGLE):
        return found.checksum.removeprefix(_FROM_GOOGLE)
    return store.crc32c(path) if found is not None and isinstance(store, KnowsCrc32c) else None
