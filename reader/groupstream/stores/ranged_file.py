"""An object that lies elsewhere, as a file: what reads files reads ranges of it."""

from __future__ import annotations

import io
from collections.abc import Callable


class RangedFile(io.RawIOBase):
    """A file to read and seek in, of which nothing is held.

    Args:
        size_bytes: of the object.
        read_range: called as `read_range(start, length)` for each read that gives something; gives the bytes.

    >>> file = RangedFile(5, lambda start, length: b"abcde"[start:][:length])
    >>> file.seek(-2, io.SEEK_END), file.read(), file.read(1)
    (3, b'de', b'')
    """

    def __init__(self, size_bytes: int, read_range: Callable[[int, int], bytes]) -> None:
        super().__init__()
        self._size_bytes = size_bytes
        self._read_range = read_range
        self._position = 0

    def readable(self) -> bool:
        """See `io.IOBase.readable`."""
        return True

    def seekable(self) -> bool:
        """See `io.IOBase.seekable`."""
        return True

    def tell(self) -> int:
        """See `io.IOBase.tell`."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """See `io.IOBase.seek`."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size_bytes}[whence]
        self._position = base + offset
        return self._position

    def read(self, size: int = -1) -> bytes:
        """See `io.RawIOBase.read`."""
        left = max(0, self._size_bytes - self._position)
        size = left if size < 0 else min(size, left)
        data = self._read_range(self._position, size) if size else b""
        self._position += len(data)
        return data
