"""What a store can do. Nothing here changes an object that exists: that is what versions rest on."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Store(Protocol):
    """A flat space of immutable objects. Each method costs one request, unless it says otherwise."""

    @property
    def root(self) -> str:
        """What people type to name this store."""
        ...

    def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        """The bytes of an object, or of a range of it; fewer than asked only at its end.

        Raises:
            FileNotFoundError: no such object.
        """
        ...

    def size_bytes(self, path: str) -> int | None:
        """The size of an object, None where there is none."""
        ...

    def folders(self, path: str) -> list[str]:
        """The names directly under `path` that hold objects, sorted."""
        ...

    def put_if_absent(self, path: str, source: bytes | Path) -> bool:
        """Creates an object whole, or not at all.

        Returns:
            False where an object of that path exists already; it is left as it is.

        Raises:
            PublishError: the store refuses the write.
        """
        ...
