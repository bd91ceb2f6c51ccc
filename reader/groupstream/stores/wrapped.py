"""A store around a store: it sees what is read, and may change it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from groupstream.stores.known_crc32c import crc32c_in
from groupstream.stores.store import Store, StoredObject, Tagged


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

    def stat(self, path: str) -> StoredObject | None:
        """See `Store.stat`."""
        return self._store.stat(path)

    def crc32c(self, path: str) -> str | None:
        """See `known_crc32c.KnowsCrc32c`."""
        return crc32c_in(self._store, path)

    def folders(self, path: str) -> list[str]:
        """See `Store.folders`."""
        return self._store.folders(path)

    def objects(self, path: str) -> Iterator[StoredObject]:
        """See `Store.objects`."""
        return self._store.objects(path)

    def put_if_absent(self, path: str, source: bytes | Path, crc32c: str | None = None) -> bool:
        """See `Store.put_if_absent`."""
        return self._store.put_if_absent(path, source, crc32c)

    def replace(self, path: str, content: bytes) -> None:
        """See `Store.replace`."""
        self._store.replace(path, content)

    def read_tagged(self, path: str) -> Tagged | None:
        """See `Store.read_tagged`. Does not pass through the function."""
        return self._store.read_tagged(path)

    def swap(self, path: str, content: bytes, tag: str | None) -> bool:
        """See `Store.swap`."""
        return self._store.swap(path, content, tag)

    def copy_if_absent(self, source_path: str, path: str) -> bool:
        """See `Store.copy_if_absent`."""
        return self._store.copy_if_absent(source_path, path)

    def delete(self, path: str) -> None:
        """See `Store.delete`."""
        self._store.delete(path)
