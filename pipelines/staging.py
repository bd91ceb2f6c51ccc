"""The staging area of a build: everything it writes before the version is published.

Each build has a folder of its own, by default under `<root>/.staging`: on a disk of this machine, or in a bucket that
all its workers reach. On a disk the build holds a lock on it for as long as it lives; a folder whose lock is free
belongs to a build that died, and the next build sweeps it away.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from groupstream import CorruptError, PublishError, StoreError, UsageError
from groupstream.layout import STAGING
from groupstream.stores import HttpStore, LocalStore, Store, is_url, open_store

_PREFIX = "build-"
_TEMPORARY = "groupstream-"  # begins the names of temporary folders that hold a staging area
_FORGOTTEN_SECONDS = 24 * 3600
_LOCK = "lock"
_CONNECTIONS = 16  # to a bucket, where what a removal costs is waiting

_log = logging.getLogger("groupstream")


@dataclass(frozen=True)
class StagingArea:
    """The objects of one build, by their paths in its folder. It can be pickled: workers have it too.

    Attributes:
        store: at the folder of the build.
        scratch: a folder of the machine that started the build, which goes when the build ends.
    """

    store: Store
    scratch: Path

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

    def remove(self, prefix: str) -> None:
        """Removes the objects below a folder of the staging area, as far as it can: what stays costs room only."""
        local = self.local_path(prefix)
        if local is not None:
            shutil.rmtree(local, ignore_errors=True)
            return
        try:
            paths = [found.path for found in self.store.objects(prefix)]
            with ThreadPoolExecutor(_CONNECTIONS, "groupstream-remove") as threads:
                list(threads.map(self.store.delete, paths))
        except (StoreError, PublishError) as error:
            _log.warning("the staging area %s is not empty, remove it later: %s", self.store.root, error)

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


def _read_all(file: object, view: memoryview) -> int:
    """Reads until the view is full or the file ends; how many bytes."""
    found = 0
    while found < len(view) and (some := file.readinto(view[found:])):  # type: ignore[attr-defined]
        found += some
    return found


@contextmanager
def staging_area(root: str | Path) -> Iterator[StagingArea]:
    """A new folder for one build; it is removed at the end, whatever happens.

    Args:
        root: a folder, or a bucket as `gs://bucket/prefix`; the build's folder lies in its `.staging`.

    Raises:
        PublishError: the root cannot be written.
        UsageError: it is a web server, where nothing can be written.
    """
    store = open_store(str(root))
    if isinstance(store, HttpStore):
        raise UsageError(f"cannot build in {store.root}: a web server cannot be written to; give a folder or a bucket")
    name = uuid.uuid4().hex[:12]
    if isinstance(store, LocalStore):
        with _local_area(Path(store.root), name) as staging:
            yield staging
        return
    with tempfile.TemporaryDirectory(prefix=_TEMPORARY) as scratch:
        staging = StagingArea(open_store(f"{store.root}/{STAGING}/{_PREFIX}{name}"), Path(scratch))
        try:
            yield staging
        finally:
            staging.remove("")


@contextmanager
def staging_for(store: Store, wanted: str | None, *, is_distributed: bool = False) -> Iterator[StagingArea]:
    """The staging area of a build that publishes to `store`: see `runner.staging` of the spec.

    Args:
        is_distributed: whether the workers are other machines, which share nothing but the bucket.

    Raises:
        PublishError: it cannot be written.
        UsageError: it is no place that all workers reach, or from which the version can be published.
    """
    if is_distributed and isinstance(store, LocalStore):
        raise UsageError(
            f"publish.root {store.root} is a folder of this machine, which the workers of a cluster do not reach; "
            "give a bucket, such as gs://bucket/datasets"
        )
    if wanted is not None and (is_url(wanted) or is_distributed):
        raise UsageError(
            f"runner.staging {wanted!r}: the staging area is a folder of this machine, or lies in the bucket that "
            "publish.root names, which is where workers on other machines write. Leave it out"
        )
    if wanted is not None or isinstance(store, LocalStore) or is_distributed:
        with staging_area(wanted or store.root) as staging:
            yield staging
    else:
        with tempfile.TemporaryDirectory(prefix=_TEMPORARY) as folder, staging_area(folder) as staging:
            sweep_temporary(Path(folder).parent)
            yield staging


@contextmanager
def _local_area(root: Path, name: str) -> Iterator[StagingArea]:
    folder = root / STAGING / f"{_PREFIX}{name}"
    try:
        lock = _locked_folder(root / STAGING / f"new-{name}", folder)
    except OSError as error:
        raise PublishError(
            f"cannot write to {root}: {error.strerror}. Allow writing there, or choose another folder with publish.root"
        ) from error
    try:
        sweep_abandoned(root)
        yield StagingArea(LocalStore(folder), folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


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


def _locked_folder(unnamed: Path, folder: Path) -> int:
    """Makes the folder; it gets its name once it is locked, so that no sweep takes it for abandoned."""
    (unnamed / "progress").mkdir(parents=True)
    lock = os.open(unnamed / _LOCK, os.O_CREAT | os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    unnamed.rename(folder)
    return lock


def sweep_abandoned(root: Path) -> int:
    """Removes what builds that died left in the staging area; how many there were."""
    _sweep_forgotten(root / STAGING)
    swept = 0
    for folder in (root / STAGING).glob(f"{_PREFIX}*"):
        if _is_abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)
            swept += 1
    return swept


def sweep_temporary(folder: Path) -> None:
    """Removes the temporary folders of builds that died: each has one, which no later build would look into."""
    for temporary in folder.glob(f"{_TEMPORARY}*"):
        if sweep_abandoned(temporary):
            shutil.rmtree(temporary, ignore_errors=True)


def _sweep_forgotten(staging: Path) -> None:
    """Files that a killed `put_if_absent` left; no put takes a day."""
    for file in staging.glob("put-*"):
        with suppress(FileNotFoundError):
            if time.time() - file.stat().st_mtime > _FORGOTTEN_SECONDS:
                file.unlink()


def _is_abandoned(folder: Path) -> bool:
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR)
    except (FileNotFoundError, PermissionError):  # being removed this moment; of somebody else
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True
