"""The disk of this machine: its paths, its room, its errors, and what must be durable."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from groupstream.errors import PublishError

ANOTHER_CACHE = "choose another cache with $GROUPSTREAM_CACHE"  # a way out
_FORGOTTEN_SECONDS = 24 * 3600
_PULL_WAY_OUT = "choose another folder with --to or $GROUPSTREAM_CACHE; what was pulled so far is kept"


def absolute(path: str | os.PathLike[str]) -> Path:
    """A path from the top of the disk. A ~ is the home of a user, where there is such a user."""
    return Path(os.path.expanduser(path)).absolute()  # noqa: PTH111


def free_bytes_in(folder: Path) -> int:
    """How much room there is for us on the disk of a folder."""
    return shutil.disk_usage(folder).free


def require_room(folder: Path, needed: int, ref: str, free_bytes: Callable[[Path], int]) -> None:
    """Refuses a pull that the disk has no room for, before anything is read.

    Raises:
        PublishError: with how much is needed and how much there is.
    """
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if needed > (free := free_bytes(there)):
        raise PublishError(
            f"{ref} needs {needed:,} bytes in {folder}, {free:,} are free there. Make room, pull fewer splits, or "
            "choose another folder with --to or $GROUPSTREAM_CACHE"
        )


@contextlib.contextmanager
def explaining_errors(folder: Path, way_out: str = _PULL_WAY_OUT) -> Iterator[None]:
    """An error of the disk becomes one line that says what to do.

    Args:
        folder: what is written to.
        way_out: what helps, beside making room.

    Raises:
        PublishError: the folder cannot be written.
    """
    try:
        yield
    except (OSError, PublishError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        if not isinstance(cause, OSError):
            raise
        raise PublishError(
            f"cannot write to {folder}: {cause.strerror or cause}. Make room or allow writing there, or {way_out}"
        ) from error


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sweep_forgotten(staging: Path) -> None:
    """Removes what killed `LocalStore.put_if_absent`s left; no put takes a day."""
    for file in staging.glob("put-*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - file.stat().st_mtime > _FORGOTTEN_SECONDS:
                file.unlink()


def remove_if_empty(folder: Path) -> None:
    """Removes a folder that nothing is in; another process may be at work in it."""
    with contextlib.suppress(OSError):
        folder.rmdir()
