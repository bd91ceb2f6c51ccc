"""A file that comes a block at a time, in any order, over several runs and from several processes.

<path>.part                  the file, allocated whole at the start; whoever holds its lock may write it
<path>.<block bytes>.blocks  one byte a block: 1 once the block is in the part. A kill at any moment loses only blocks
                             that were under way

The part gets its final name when it is whole and was checked. Then it can be read only.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

LOOK_AGAIN_SECONDS = 0.1  # whether another process is done with a part

_DONE = b"\1"
_SWEEPS = 100  # in a row that one process may lose against


class PartFile:
    """A part that this process has locked. Blocks may be written from several threads.

    Args:
        path: the part's name without `.part`.
        size_bytes: of the whole file.
        block_bytes: of each block but the last.
        handle: from `locked_part`.

    Raises:
        OSError: there is no room for the file. Nothing is left of it then.
    """

    def __init__(self, path: Path, size_bytes: int, block_bytes: int, handle: int) -> None:
        self._part = _part_of(path)
        self._size_bytes = size_bytes
        self._block_bytes = block_bytes
        self._handle = handle
        self._journal_path = _journal_of(path, block_bytes)
        self._journal = os.open(self._journal_path, os.O_CREAT | os.O_RDWR, 0o644)
        try:
            if not self._is_begun():
                self.forget_blocks()
                self._allocate()
        except BaseException:
            os.close(self._journal)
            raise

    @property
    def num_blocks(self) -> int:
        """How many blocks the file has; none if it is empty."""
        return -(-self._size_bytes // self._block_bytes)

    def block(self, index: int) -> tuple[int, int]:
        """The offset of a block and its length, in bytes."""
        offset = index * self._block_bytes
        return offset, min(self._block_bytes, self._size_bytes - offset)

    def missing_blocks(self) -> list[int]:
        """The blocks that are still to be written, in order."""
        journal = os.pread(self._journal, self.num_blocks, 0)
        return [i for i in range(self.num_blocks) if journal[i : i + 1] != _DONE]

    def write_block(self, index: int, data: bytes) -> None:
        """Writes a block, then notes that it is there."""
        write_at(self._handle, data, self.block(index)[0])
        write_at(self._journal, _DONE, index)

    def read_block(self, index: int) -> bytes:
        """What the part holds of a block."""
        offset, length = self.block(index)
        return os.pread(self._handle, length, offset)

    def forget_blocks(self) -> None:
        """All blocks are missing again."""
        os.ftruncate(self._journal, 0)

    def finish(self, target: Path) -> None:
        """Gives the part its final name, durable and read-only."""
        os.fsync(self._handle)
        os.fchmod(self._handle, 0o444)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(self._part, target)
        self._journal_path.unlink(missing_ok=True)

    def discard(self) -> None:
        """Removes the part: nothing in it is of use."""
        self._part.unlink(missing_ok=True)
        self._journal_path.unlink(missing_ok=True)

    def close(self) -> None:
        """What is there stays for the next run. The lock is not given back yet."""
        os.close(self._journal)

    def _is_begun(self) -> bool:
        """Whether an earlier run allocated this part, so that its journal is true."""
        return os.fstat(self._handle).st_size == self._size_bytes

    def _allocate(self) -> None:
        try:
            allocate(self._handle, self._size_bytes)
        except OSError:
            self.discard()
            raise


@contextlib.contextmanager
def locked_part(path: Path) -> Iterator[int | None]:
    """The handle of a file's part, locked as long as the block of code runs; None where another process has it.

    Raises:
        OSError: the folder cannot be written.
    """
    handle = _try_lock(_part_of(path))
    try:
        yield handle
    finally:
        if handle is not None:
            os.close(handle)


@contextlib.contextmanager
def awaited_part(path: Path) -> Iterator[int]:
    """The same; waits while another process has it.

    Raises:
        OSError: the folder cannot be written.
    """
    while True:
        with locked_part(path) as handle:
            if handle is not None:
                yield handle
                return
        time.sleep(LOOK_AGAIN_SECONDS)


def _try_lock(path: Path) -> int | None:
    """Opens a file and locks it, making it and its folders where they are missing; None where it is locked already.

    The lock goes with the process, however it ends.
    """
    while True:
        handle = _opened(path)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(path, handle):
                return handle
        except BlockingIOError:
            os.close(handle)
            return None
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _opened(path: Path) -> int:
    """Opens a file to write, in a folder that other processes may sweep away at any moment.

    Swept between the two looks of `mkdir`, the folder is one that exists and is none.
    """
    for _ in range(_SWEEPS):
        with contextlib.suppress(FileNotFoundError, FileExistsError):
            path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_CREAT | os.O_RDWR, 0o644)


def bytes_there(path: Path, size_bytes: int, block_bytes: int) -> int:
    """How many bytes of a file an earlier run left in its part. Locks nothing."""
    try:
        if _part_of(path).stat().st_size != size_bytes:
            return 0
        journal = _journal_of(path, block_bytes).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return 0
    last = max(-(-size_bytes // block_bytes) - 1, 0)
    ends = journal[last : last + 1] == _DONE
    return journal.count(_DONE) * block_bytes - (ends * (block_bytes * (last + 1) - size_bytes))


def bytes_allocated(path: Path) -> int:
    """How much room on the disk an earlier run took for a file."""
    try:
        return _part_of(path).stat().st_blocks * 512
    except (FileNotFoundError, NotADirectoryError):
        return 0


def sweep_part(path: Path) -> None:
    """Removes what is left of a part whose file has its final name."""
    _part_of(path).unlink(missing_ok=True)
    with contextlib.suppress(FileNotFoundError):
        for other in path.parent.iterdir():  # glob compiles a pattern, which is slow for each of many files
            if other.suffix == ".blocks" and other.stem.rpartition(".")[0] == path.name:
                other.unlink(missing_ok=True)


def write_at(handle: int, data: bytes, offset: int) -> None:
    """Writes all of `data`; the system may take less at once."""
    rest = memoryview(data)
    while rest:
        written = os.pwrite(handle, rest, offset)
        rest, offset = rest[written:], offset + written


def allocate(handle: int, size_bytes: int) -> None:
    """Gives the file its size and its room on the disk at once, so that a full disk is found before the work.

    Raises:
        OSError: there is no room.
    """
    os.ftruncate(handle, 0)
    reserve(handle, size_bytes)


def reserve(handle: int, size_bytes: int) -> None:
    """Takes room on the disk for a file of this size; its bytes stay what they are.

    Raises:
        OSError: there is no room.
    """
    if not size_bytes:
        return
    try:
        os.posix_fallocate(handle, 0, size_bytes)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
            raise
        os.ftruncate(handle, size_bytes)  # a file system that cannot: then a full disk is found while writing


def _is_still(path: Path, handle: int) -> bool:
    """Whether the name still means the file that was opened."""
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _part_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _journal_of(path: Path, block_bytes: int) -> Path:
    return path.with_name(f"{path.name}.{block_bytes}.blocks")
