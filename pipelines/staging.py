"""The staging area of a build: everything it writes before the version is published.

Each build has a folder of its own under `<root>/.staging` and holds a lock on it for as long as it lives. A folder
whose lock is free belongs to a build that died; the next build sweeps it away.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from groupstream import PublishError, UsageError
from groupstream.layout import STAGING
from groupstream.stores import LocalStore, Store

_PREFIX = "build-"
_FORGOTTEN_SECONDS = 24 * 3600
_PARTS = ("runs", "shards", "progress")
_LOCK = "lock"


@dataclass(frozen=True)
class StagingArea:
    """The folder of one build."""

    folder: Path

    @property
    def runs(self) -> Path:
        """Sorted runs, until they are merged."""
        return self.folder / "runs"

    @property
    def shards(self) -> Path:
        """Finished shards and their parts of the group table."""
        return self.folder / "shards"

    @property
    def progress(self) -> Path:
        """How far each worker is."""
        return self.folder / "progress"

    @contextmanager
    def explaining_errors(self) -> Iterator[None]:
        """An error of the disk becomes one that says what to do.

        Raises:
            PublishError: the staging area cannot be written.
        """
        try:
            yield
        except OSError as error:
            raise PublishError(
                f"cannot write to the staging area {self.folder}: {error.strerror or error}. A build needs room for "
                "about twice its examples there: make room, or choose another folder with publish.root"
            ) from error


def folder_of(store: Store) -> Path:
    """The folder that a store is, for what is built in it.

    Raises:
        UsageError: the store is elsewhere; builds write to folders of this machine so far.
    """
    if isinstance(store, LocalStore):
        return Path(store.root)
    raise UsageError(
        f"cannot build to {store.root}: builds write to folders of this machine. Give one with --root or publish.root"
    )


@contextmanager
def staging_area(root: Path) -> Iterator[StagingArea]:
    """A new folder for one build; it is removed at the end, whatever happens.

    Raises:
        PublishError: the root cannot be written.
    """
    name = uuid.uuid4().hex[:12]
    folder = root / STAGING / f"{_PREFIX}{name}"
    try:
        lock = _locked_folder(root / STAGING / f"new-{name}", folder)
    except OSError as error:
        raise PublishError(
            f"cannot write to {root}: {error.strerror}. Allow writing there, or choose another folder with publish.root"
        ) from error
    try:
        sweep_abandoned(root)
        yield StagingArea(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _locked_folder(unnamed: Path, folder: Path) -> int:
    """Makes the folder; it gets its name once it is locked, so that no sweep takes it for abandoned."""
    for part in _PARTS:
        (unnamed / part).mkdir(parents=True)
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


def _sweep_forgotten(staging: Path) -> None:
    """Files that a killed `put_if_absent` left; no put takes a day."""
    for file in staging.glob("put-*"):
        with suppress(FileNotFoundError):
            if time.time() - file.stat().st_mtime > _FORGOTTEN_SECONDS:
                file.unlink()


def _is_abandoned(folder: Path) -> bool:
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR)
    except FileNotFoundError:  # being removed this moment
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True
