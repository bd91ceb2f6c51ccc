"""A store in a local folder."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from groupstream.disk import absolute, sync_folder
from groupstream.errors import PublishError, StoreError, UsageError
from groupstream.layout import STAGING
from groupstream.stores.crc32c import crc32c_of
from groupstream.stores.failures import missing, other_bytes
from groupstream.stores.store import StoredObject, Tagged

_SWAP_LOCK = ".swap.lock"
_SHOWN_CHARACTERS = 100
_COPY_BYTES = 4 << 20

PUT_PREFIX = "put-"  # begins the names of files that are being written, in the staging area
_LOCKED_WITHIN_SECONDS = 60.0  # of being made
_FORGOTTEN_SECONDS = 24 * 3600.0  # where no lock can tell: no put takes a day


class LocalStore:
    """Objects are files. A file is written elsewhere under the root, made durable, then linked into its place."""

    def __init__(self, root: str | Path) -> None:
        self._root = absolute(root)

    @property
    def root(self) -> str:
        """The folder."""
        return str(self._root)

    def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        """See `Store.read`."""
        with self._explaining(path), open(self._file(path), "rb") as file:
            file.seek(offset)
            return file.read(-1 if length is None else length)

    def _file(self, path: str) -> Path:
        """Where an object lies. What others wrote may have named it, so it is nowhere else."""
        if path.startswith("/") or ".." in path.split("/") or "\0" in path:
            raise StoreError(f"{path[:_SHOWN_CHARACTERS]!r} does not lie in {self._root}; name what is in the folder")
        return self._root / path

    def local_path(self, path: str) -> Path | None:
        """See `stored.HoldsFiles`."""
        return self._file(path)

    def size_bytes(self, path: str) -> int | None:
        """See `Store.size_bytes`."""
        with self._explaining(path):
            try:
                return self._file(path).stat().st_size
            except (FileNotFoundError, NotADirectoryError):
                return None

    def stat(self, path: str) -> StoredObject | None:
        """See `Store.stat`."""
        with self._explaining(path):
            try:
                found = self._file(path).stat()
            except (FileNotFoundError, NotADirectoryError):
                return None
            return None if stat.S_ISDIR(found.st_mode) else _described(path, found)

    def folders(self, path: str) -> list[str]:
        """See `Store.folders`.

        Raises:
            UsageError: the root is a file.
        """
        with self._explaining(path):
            if self._root.is_file():
                raise UsageError(f"{self._root} is a file; a root is a folder with versions as <name>/<version>")
            try:
                inside = list(self._file(path).iterdir())
            except (FileNotFoundError, NotADirectoryError):
                return []
            return sorted(f.name for f in inside if f.is_dir() and not f.name.startswith("."))

    def objects(self, path: str) -> Iterator[StoredObject]:
        """See `Store.objects`."""
        with self._explaining(path):
            yield from _files_below(str(self._file(path)), f"{path}/".lstrip("/"))

    def put_if_absent(self, path: str, source: bytes | Path, crc32c: str | None = None) -> bool:
        """See `Store.put_if_absent`. A source file on the same disk is linked, not copied; with `crc32c` it is read."""
        with self._explaining_write(path):
            return self._put(self._file(path), source, crc32c)

    def replace(self, path: str, content: bytes) -> None:
        """See `Store.replace`."""
        with self._explaining_write(path):
            self._replace(self._file(path), content)

    def read_tagged(self, path: str) -> Tagged | None:
        """See `Store.read_tagged`. The tag is a hash of the content."""
        try:
            content = self.read(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return Tagged(content, _tag(content))

    def swap(self, path: str, content: bytes, tag: str | None) -> bool:
        """See `Store.swap`. Who swaps anything under the root waits for who does so already."""
        with self._explaining_write(path), self._swapping():
            found = self.read_tagged(path)
            if (found and found.tag) != tag:
                return False
            self._replace(self._file(path), content)
            return True

    def copy_if_absent(self, source_path: str, path: str) -> bool:
        """See `Store.copy_if_absent`. Both names lead to the same bytes, which are not written again."""
        if not self._file(source_path).is_file():
            raise missing(str(self._root / source_path))
        return self.put_if_absent(path, self._file(source_path))

    def delete(self, path: str) -> None:
        """See `Store.delete`. Folders that hold nothing any more stay: another process may be about to write there."""
        try:
            self._file(path).unlink(missing_ok=True)
        except NotADirectoryError:
            pass
        except OSError as error:
            raise PublishError(
                f"cannot remove {self._root / path}: {error.strerror}. Allow writing there, or remove it by hand"
            ) from error

    @contextlib.contextmanager
    def _explaining(self, path: str) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, NotADirectoryError):
            raise
        except OSError as error:
            raise StoreError(
                f"cannot read {self._root / path}: {error.strerror}. Allow reading there, or choose another root"
            ) from error

    @contextlib.contextmanager
    def _explaining_write(self, path: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise PublishError(
                f"cannot write {self._root / path}: {error.strerror}. "
                "Make room or allow writing there, or choose another folder with publish.root"
            ) from error

    def _put(self, target: Path, source: bytes | Path, crc32c: str | None) -> bool:
        if target.exists():
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        with self._whole_file(source) as whole:
            if crc32c is not None and (found := crc32c_of(whole)) != crc32c:
                raise other_bytes(found, crc32c).on_writing(str(target))
            try:
                os.link(whole, target)
            except FileExistsError:
                return False
        sync_folder(target.parent)
        return True

    def _replace(self, target: Path, content: bytes) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        with self._whole_file(content) as whole:
            whole.replace(target)
        sync_folder(target.parent)

    @contextlib.contextmanager
    def _swapping(self) -> Iterator[None]:
        """Alone among all processes. The lock goes with the process."""
        self._root.mkdir(parents=True, exist_ok=True)
        lock = os.open(self._root / _SWAP_LOCK, os.O_CREAT | os.O_RDWR, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    @contextlib.contextmanager
    def _whole_file(self, source: bytes | Path) -> Iterator[Path]:
        """The content as a durable, read-only file of its own under the root; it goes when the block ends.

        It is locked inside. One whose lock is free was left by a process that died: see `put_is_abandoned`.
        """
        staging = self._root / STAGING
        staging.mkdir(parents=True, exist_ok=True)
        temporary = staging / f"{PUT_PREFIX}{uuid.uuid4().hex}"
        try:
            with _linked_or_empty(source, temporary) as file:
                fcntl.flock(file, fcntl.LOCK_SH)
                if not file.readable():
                    _copy(source, file)
                os.fsync(file.fileno())
                temporary.chmod(0o444)
                yield temporary
        finally:
            temporary.unlink(missing_ok=True)


def put_is_abandoned(file: Path, now: float) -> bool:
    """Whether a file of an unfinished put has nobody who goes on with it.

    Args:
        now: in seconds since 1970.
    """
    try:
        age_seconds = now - file.stat().st_ctime  # that of a link is its own
        if age_seconds < _LOCKED_WITHIN_SECONDS:
            return False
    except FileNotFoundError:
        return False
    try:
        with open(file, "rb") as opened:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (FileNotFoundError, BlockingIOError):
        return False
    except OSError:  # there are no such locks here
        return age_seconds > _FORGOTTEN_SECONDS
    return True


def _linked_or_empty(source: bytes | Path, target: Path) -> IO[bytes]:
    """The target, opened to read where it is a link to the source already, else to write."""
    if isinstance(source, Path):
        with contextlib.suppress(OSError):
            os.link(source, target)
            return open(target, "rb")
    return open(target, "xb")


def _copy(source: bytes | Path, file: IO[bytes]) -> None:
    if isinstance(source, bytes):
        file.write(source)
    else:
        with open(source, "rb") as opened:
            shutil.copyfileobj(opened, file, _COPY_BYTES)
    file.flush()


def _tag(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _described(path: str, found: os.stat_result) -> StoredObject:
    return StoredObject(path, found.st_size, None, datetime.fromtimestamp(int(found.st_mtime), UTC))


def _files_below(folder: str, path: str) -> Iterator[StoredObject]:
    """Depth first, in the order of the names, with one open folder for each level."""
    try:
        inside = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in inside:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _files_below(entry.path, f"{path}{entry.name}/")
        elif entry.is_file():
            with contextlib.suppress(FileNotFoundError):  # removed meanwhile
                yield _described(path + entry.name, entry.stat())
