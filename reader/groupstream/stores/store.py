"""What a store can do. Nothing here changes an object that exists: that is what versions rest on."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Store(Protocol):
    """A flat space of immutable objects. Each method costs one request, unless it says otherwise.

    Threads share a store. It can be pickled, and used in a process that was forked from one that used it. Requests
    that fail for a passing reason are repeated inside.
    """

    @property
    def root(self) -> str:
        """What people type to name this store."""
        ...

    def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        """The bytes of an object, or of a range of it; fewer than asked only at its end.

        Raises:
            FileNotFoundError: no such object.
            StoreError: the store cannot be reached, or does not allow it.
        """
        ...

    def size_bytes(self, path: str) -> int | None:
        """The size of an object, None where there is none.

        Raises:
            StoreError: the store cannot be reached, or does not allow it.
        """
        ...

    def folders(self, path: str) -> list[str]:
        """The names directly under `path` that hold objects, sorted; those that begin with a dot are left out.

        Raises:
            StoreError: the store cannot be reached, or does not allow it.
            UsageError: the store, a web server, does not know.
        """
        ...

    def put_if_absent(self, path: str, source: bytes | Path) -> bool:
        """Creates an object whole, or not at all.

        Returns:
            False where an object of that path exists already; it is left as it is.

        Raises:
            PublishError: the store refuses the write.
        """
        ...
