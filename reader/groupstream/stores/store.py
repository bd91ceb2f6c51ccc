"""What a store can do. Nothing here changes an object that exists: that is what versions rest on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol


class StoredObject(NamedTuple):
    """What a store says of an object without reading it.

    Attributes:
        path: under the root of the store.
        checksum: `crc32c:` and eight hexadecimal digits from Google; `etag:` and a text that changes with the content
            from S3 and from most web servers; None from a local folder, and from a web server that tells none.
        modified_at: when it was written, in UTC, to the second; None from a web server.
    """

    path: str
    size_bytes: int
    checksum: str | None
    modified_at: datetime | None = None


class Tagged(NamedTuple):
    """The content of an object, and what tells whether it is still that."""

    content: bytes
    tag: str


def is_visible(path: str) -> bool:
    """Whether a listing shows it: no name in the path begins with a dot, and it ends in a name."""
    return bool(path) and not path.endswith("/") and not path.startswith(".") and "/." not in path


class Store(Protocol):
    """A flat space of objects, immutable but for what `replace` and `swap` write.

    A method costs one request, or says otherwise. Threads share a store. It can be pickled, and used in a process that
    was forked from one that used it. Requests that fail for a passing reason are repeated inside.
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

    def stat(self, path: str) -> StoredObject | None:
        """What the store says of an object, None where there is none.

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

    def objects(self, path: str) -> Iterator[StoredObject]:
        """All objects below the folder `path`, however deep, in no order that is promised; "" is the root.

        Names that begin with a dot are left out, below such folders too. A request is made for each 1,000 objects,
        when the first of them is asked for.

        Raises:
            StoreError: the store cannot be reached, or does not allow it.
            UsageError: the store, a web server, does not know.
        """
        ...

    def put_if_absent(self, path: str, source: bytes | Path, crc32c: str | None = None) -> bool:
        """Creates an object whole, or not at all.

        Args:
            crc32c: of the content, in eight hexadecimal digits, where it is known. If what would be written has
                another one, since the file was changed or the way changed it, nothing is written.

        Returns:
            False where an object of that path exists already; it is left as it is.

        Raises:
            PublishError: the store refuses the write, or the content has another CRC32C.
        """
        ...

    def replace(self, path: str, content: bytes) -> None:
        """Writes an object whole, whether or not one is there; who reads meanwhile gets the old content or the new.

        Only for what no version rests on, such as the page of the catalog. Of two that write at once, the last one
        wins.

        Raises:
            PublishError: the store refuses the write.
        """
        ...

    def read_tagged(self, path: str) -> Tagged | None:
        """The content of a small object with its tag for `swap`, None where there is none. Two requests at most.

        Raises:
            StoreError: the store cannot be reached, or does not allow it.
        """
        ...

    def swap(self, path: str, content: bytes, tag: str | None) -> bool:
        """Compare and swap: writes an object whole if it still is what `read_tagged` gave.

        A swap whose answer was lost is made again, and then answers False although it was this one that wrote: read
        again, and see whether there is still something to change.

        Args:
            tag: that of what was read; None where there was no object.

        Returns:
            False where the object is another one by now; it is left as it is.

        Raises:
            PublishError: the store refuses the write.
            UsageError: the store, a web server, is only read.
        """
        ...

    def copy_if_absent(self, source_path: str, path: str) -> bool:
        """Creates an object of the content of another one, whole or not at all. No byte passes through this machine.

        Returns:
            False where an object of that path exists already; it is left as it is.

        Raises:
            FileNotFoundError: there is no object `source_path`.
            PublishError: the store refuses the write.
            UsageError: the store, a web server, is only read.
        """
        ...

    def delete(self, path: str) -> None:
        """Removes an object. Where there is none, nothing happens. Only what no version needs may be removed.

        Raises:
            PublishError: the store refuses.
            UsageError: the store, a web server, is only read.
        """
        ...
