"""What a build writes before its version is published: objects in a folder of its own, on a disk or in a bucket."""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from groupstream import CorruptError, PublishError, StoreError
from groupstream.stores import LocalStore, Store, Tagged

LOCK = "lock"  # of a folder on a disk, held for as long as its build lives
LEASE = "lease.json"  # the same in a bucket
_CONNECTIONS = 16  # to a bucket, where what a removal costs is waiting
_REMOVED_AT_ONCE = 200  # objects, between two looks at the lease

_log = logging.getLogger("groupstream")


@dataclass(frozen=True)
class StagingArea:
    """The objects of one build, by their paths in its folder. It can be pickled: workers have it too.

    Attributes:
        store: at the folder of the build.
        scratch: a folder of the machine that started the build, which goes when the build ends.
        owner: whose the lease must be for anything to be removed; "" where a lock says whose the folder is.
    """

    store: Store
    scratch: Path
    owner: str = field(default="", kw_only=True)

    @property
    def folder(self) -> Path | None:
        """The folder, where it lies on a disk of this machine."""
        return Path(self.store.root) if isinstance(self.store, LocalStore) else None

    @property
    def progress(self) -> Path | None:
        """Where each worker says how far it is; None where no worker shares a disk with another."""
        return self.folder and self.folder / "progress"

    @property
    def job_progress(self) -> Path:
        """Where whoever watches a job elsewhere says how far that is."""
        return self.scratch / "job-progress"

    def local_path(self, path: str) -> Path | None:
        """Where an object lies on a disk of this machine, if it does."""
        return self.folder and self.folder / path

    @contextmanager
    def writing(self, path: str) -> Iterator[Path]:
        """A file to write; when the block ends well it is the object `path`, whole.

        A worker that does its work again writes the same: one that is there already may be replaced.

        Raises:
            PublishError: the staging area cannot be written.
        """
        target = self.local_path(path)
        with self.explaining_errors(), tempfile.TemporaryDirectory(dir=self._unfinished(target)) as folder:
            file = Path(folder) / Path(path).name
            yield file
            if target is None:
                self.store.put_if_absent(path, file)
            else:
                os.replace(file, target)

    def write(self, path: str, content: bytes) -> None:
        """Writes a small object. See `writing`."""
        with self.writing(path) as file:
            file.write_bytes(content)

    def read(self, path: str) -> bytes:
        """A small object."""
        return self.store.read(path)

    def read_into(self, path: str, offset: int, buffer: np.ndarray) -> None:
        """Fills uint8[length] with a range of an object.

        Raises:
            CorruptError: the object ends before.
        """
        local = self.local_path(path)
        if local is None:
            data = self.store.read(path, offset, len(buffer))
            found = len(data)
            buffer[:found] = np.frombuffer(data, np.uint8)
        else:
            with open(local, "rb", buffering=0) as file:
                file.seek(offset)
                found = _read_all(file, buffer.data)
        if found < len(buffer):
            raise CorruptError(f"{self.store.root}/{path} is cut short at byte {offset + found:,}; run the build again")

    def is_mine(self) -> bool:
        """Whether the folder still is this build's: in a bucket it is not, where the build slept for too long.

        Raises:
            StoreError: the bucket cannot be read.
        """
        return not self.owner or owner_of(self.store.read_tagged(LEASE)) == self.owner

    def remove(self, prefix: str) -> None:
        """Removes the objects below a folder of the staging area, as far as it can: what stays costs room only.

        Nothing is removed from a folder that is another build's by now.
        """
        local = self.local_path(prefix)
        if local is not None:
            shutil.rmtree(local, ignore_errors=True)
            return
        try:
            self._remove_objects(prefix, set())
        except (StoreError, PublishError) as error:
            _log.warning("the staging area %s is not empty: %s", self.store.root, error)

    def remove_but(self, kept: Set[str]) -> None:
        """Removes all objects but some, and whatever else builds leave: files half made, what they said of themselves.

        What stayed would be taken for a part of what is made next.

        Raises:
            PublishError: something cannot be removed, or the folder is another build's by now.
            StoreError: the bucket cannot be read.
        """
        if self.folder is None:
            self._remove_objects("", {LEASE, *kept})
            return
        for file in [file for file in self.folder.rglob("*") if not file.is_dir()]:
            if file.relative_to(self.folder).as_posix() not in {LOCK, *kept}:
                self.store.delete(file.relative_to(self.folder).as_posix())

    def _remove_objects(self, prefix: str, kept: Set[str]) -> None:
        paths = [found.path for found in self.store.objects(prefix) if found.path not in kept]
        if not remove_owned(self.store, paths, self.is_mine):
            raise PublishError(
                f"another build has taken {self.store.root} over, since this one slept for too long. Run it again"
            )

    def _unfinished(self, target: Path | None) -> Path | None:
        """Where files are made: on the disk of the target, so that they only have to be renamed."""
        if target is None:
            return None
        assert self.folder is not None
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = self.folder / "unfinished"
        folder.mkdir(exist_ok=True)
        return folder

    @contextmanager
    def explaining_errors(self) -> Iterator[None]:
        """An error of the disk becomes one that says what to do.

        Raises:
            PublishError: the staging area cannot be written.
        """
        try:
            yield
        except OSError as error:
            where = self.folder or f"{tempfile.gettempdir()} of a worker"
            raise PublishError(
                f"cannot write to the staging area {where}: {error.strerror or error}. A build needs room for "
                "about twice its examples there: make room, or choose another folder with runner.staging"
            ) from error


def owner_of(lease: Tagged | None) -> str | None:
    """Who owns a folder; "" where nobody does any more."""
    try:
        return None if lease is None else str(json.loads(lease.content)["owner"])
    except (ValueError, TypeError, KeyError):
        return ""


def remove_owned(store: Store, paths: Sequence[str], is_mine: Callable[[], bool]) -> bool:
    """Removes objects for as long as their folder is this process's; whether it was that to the end.

    Raises:
        PublishError: the store refuses.
        StoreError: it does not say whose the folder is.
    """
    for start in range(0, len(paths), _REMOVED_AT_ONCE):
        if not is_mine():
            return False
        remove_objects(store, paths[start : start + _REMOVED_AT_ONCE])
    return True


def remove_objects(store: Store, paths: Iterable[str]) -> None:
    """Removes objects, several at once.

    Raises:
        PublishError: the store refuses.
    """
    with ThreadPoolExecutor(_CONNECTIONS, "groupstream-remove") as threads:
        list(threads.map(store.delete, paths))


def _read_all(file: object, view: memoryview) -> int:
    """Reads until the view is full or the file ends; how many bytes."""
    found = 0
    while found < len(view) and (some := file.readinto(view[found:])):  # type: ignore[attr-defined]
        found += some
    return found


def refuse_full_disk(staging: StagingArea, needed_bytes: int) -> None:
    """Refuses a disk without room for what is to come, before anything is read.

    Raises:
        PublishError: it has less free.
    """
    folder = staging.folder
    if folder is None:
        return
    free = shutil.disk_usage(folder).free
    if free < needed_bytes:
        raise PublishError(
            f"the disk of {folder} has {free:,} bytes free, the build needs at least {needed_bytes:,} for its "
            f"staging area ({os.strerror(errno.ENOSPC)}). Make room, or choose another folder with runner.staging"
        )
