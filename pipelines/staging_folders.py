"""Folders of builds on a disk of this machine. Whoever holds the lock of a folder owns it.

A lock dies with its process. A folder is named after what its build makes, so that a later build of the same finds it.
A free lock means that its build has died, or has ended and left what it finished: the next build of the same takes it
over, or a sweep removes it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from groupstream import PublishError
from groupstream.layout import STAGING
from groupstream.stores import LocalStore
from groupstream.stores.local import PUT_PREFIX, put_is_abandoned
from pipelines.resuming import num_finished
from pipelines.staging_area import LOCK, StagingArea

KEPT_SECONDS = 24 * 3600.0  # what a build finished that ended badly, for who builds the same again
PREFIX = "build-"
_UNNAMED = "new-"  # a folder whose build does not hold its lock yet
_TEMPORARY = "groupstream-"  # begins the names of temporary folders that hold staging areas
_DIGITS = 16  # of a digest, in a name


class HeldFolder(NamedTuple):
    """A folder whose lock this process holds."""

    folder: Path
    lock: int

    @property
    def staging(self) -> StagingArea:
        """The staging area in it."""
        return StagingArea(LocalStore(self.folder), self.folder)

    def let_go(self) -> None:
        """Leaves it to whoever comes."""
        with suppress(OSError):
            os.utime(self.lock)
        os.close(self.lock)

    def remove(self) -> None:
        """Removes it, the lock last: so what is cut off can be swept later."""
        for inside in self.folder.glob("*"):  # none where it is gone already
            if inside.name == LOCK:
                continue
            if inside.is_dir() and not inside.is_symlink():
                shutil.rmtree(inside, ignore_errors=True)
            else:
                with suppress(OSError):
                    inside.unlink()
        with suppress(OSError):
            (self.folder / LOCK).unlink()
            self.folder.rmdir()
        os.close(self.lock)


def folder_name(digest: str) -> str:
    """A new name. Builds of the same have names that begin alike; those of an unknown digest are nobody's to find."""
    return f"{folder_prefix(digest)}{uuid.uuid4().hex[:12]}"


def is_resumable(name: str) -> bool:
    """Whether later builds can find a folder of this name."""
    return "-" in name.removeprefix(PREFIX)


def folder_prefix(digest: str) -> str:
    """How the names of folders begin whose builds make this."""
    return f"{PREFIX}{digest[:_DIGITS]}-" if digest else PREFIX


def hold_folder(root: Path, digest: str) -> HeldFolder:
    """The folder of a dead build of the same that finished the most, or else a new one.

    Raises:
        PublishError: the root cannot be written.
    """
    with _explaining_errors(root):
        return (_take_over(root, digest) if digest else None) or _new_folder(root, folder_name(digest))


def refuse_unwritable_folder(root: Path) -> None:
    """Makes a folder there and removes it.

    Raises:
        PublishError: the root cannot be written.
    """
    with _explaining_errors(root):
        (root / STAGING).mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryDirectory(prefix=_UNNAMED, dir=root / STAGING).cleanup()


@contextmanager
def _explaining_errors(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PublishError(
            f"cannot write to {root}: {error.strerror}. Allow writing there, or choose another folder with publish.root"
        ) from error


def _take_over(root: Path, digest: str) -> HeldFolder | None:
    found = [(_num_finished(folder), folder.name) for folder in (root / STAGING).glob(f"{folder_prefix(digest)}*")]
    for number, name in sorted(found, reverse=True):
        held = _try_to_hold(root / STAGING / name) if number else None
        if held is not None:
            return held
    return None


def _new_folder(root: Path, name: str) -> HeldFolder:
    """Makes a folder; it gets its name once it is locked. Again, where a sweep took it for abandoned before that."""
    unnamed, folder = root / STAGING / f"{_UNNAMED}{name}", root / STAGING / name
    while True:
        (unnamed / "progress").mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            lock = os.open(unnamed / LOCK, os.O_CREAT | os.O_RDWR)
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                unnamed.rename(folder)
            except BaseException:
                os.close(lock)
                raise
            return HeldFolder(folder, lock)


def _try_to_hold(folder: Path) -> HeldFolder | None:
    """None where its build lives, or it is somebody else's, or just now removed."""
    try:
        if not _is_own_folder(folder):  # what lies there is trusted as code is
            return None
        lock = os.open(folder / LOCK, os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(lock), (folder / LOCK).stat()):
            return HeldFolder(folder, lock)
    except OSError:
        pass
    os.close(lock)
    return None


def sweep_folders(
    root: Path, kept_seconds: float = KEPT_SECONDS, now: float | None = None, digest: str = ""
) -> list[Path]:
    """Removes what builds that are dead left in a root; the folders that went.

    Args:
        kept_seconds: for how long a folder stays in which a stage is finished, for who builds the same again. Those
            without one go at once.
        now: in seconds since 1970; default: by the clock.
        digest: of what the builds made that left it; default: any.
    """
    moment, swept = time.time() if now is None else now, []
    _sweep_puts(root / STAGING, moment)
    _sweep_unnamed(root / STAGING, moment)
    for folder in sorted((root / STAGING).glob(f"{folder_prefix(digest)}*")):
        if is_resumable(folder.name) and _num_finished(folder) and moment - _touched(folder) < kept_seconds:
            continue
        if (held := _try_to_hold(folder)) is not None:
            held.remove()
            swept.append(folder)
    return swept


def _sweep_puts(staging: Path, now: float) -> None:
    """Files that were being written to the store when their process died."""
    for file in staging.glob(f"{PUT_PREFIX}*"):
        if put_is_abandoned(file, now):
            with suppress(OSError):
                file.unlink()


def _sweep_unnamed(staging: Path, now: float) -> None:
    """Folders whose builds died while they made them; and what has no lock, as a sweep that died leaves it."""
    for folder in [*staging.glob(f"{_UNNAMED}*"), *staging.glob(f"{PREFIX}*")]:
        if not _is_own_folder(folder):
            continue
        if (folder / LOCK).exists():
            if folder.name.startswith(_UNNAMED) and (held := _try_to_hold(folder)) is not None:
                held.remove()
            continue
        for inside in (folder / "progress", folder):
            with suppress(OSError):
                inside.rmdir()
        with suppress(OSError):
            if now - folder.stat().st_mtime > KEPT_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def _num_finished(folder: Path) -> int:
    return num_finished(StagingArea(LocalStore(folder), folder))


def _touched(folder: Path) -> float:
    """When a build was last in it, as far as it is known: when it ended, or finished a stage."""
    files = [folder / LOCK, *(folder / "finished").glob("*")]
    return max((file.stat().st_mtime for file in files), default=0.0)


def _is_own_folder(path: Path) -> bool:
    """Whether a folder of this user lies there, and no link to one."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def temporary_root() -> Path:
    """A folder of this machine and user, for staging areas that lie beside no datasets. It stays when it is empty.

    Raises:
        PublishError: somebody else has made it.
    """
    root = Path(tempfile.gettempdir()) / f"{_TEMPORARY}staging-{os.geteuid()}"
    root.mkdir(mode=0o700, exist_ok=True)
    if not _is_own_folder(root):
        raise PublishError(f"{root} belongs to somebody else. Have it removed, or choose a folder with runner.staging")
    return root


def sweep_temporary(kept_seconds: float = KEPT_SECONDS, now: float | None = None, digest: str = "") -> list[Path]:
    """Sweeps the temporary folders of this machine that hold staging areas; the folders of builds that went.

    Only those of this user, and no links: anybody may make one there that leads to somebody's files.
    """
    swept = []
    for root in Path(tempfile.gettempdir()).glob(f"{_TEMPORARY}*"):
        if not (_is_own_folder(root) and _is_own_folder(root / STAGING)):
            continue
        gone = sweep_folders(root, kept_seconds, now, digest)
        swept += gone
        if gone and root != temporary_root():  # one that a single build had made for itself
            for folder in (root / STAGING, root):
                with suppress(OSError):
                    folder.rmdir()
    return swept
