"""One platform for each home; and what one that was killed has left running."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import psutil

from groupstream import GroupstreamError
from orchestration.processes import end_family

_LOCK = "up.lock"
_NOTE = "up.json"
_SAME_SECONDS = 5  # when a process began is reckoned from when the machine did, which is moved with the clock


@contextmanager
def sole_platform(home: Path, url: str) -> Iterator[Note]:
    """Inside, no other platform starts in this home. What a killed one has left running is ended first.

    Raises:
        GroupstreamError: one is up; the message says where and how to stop it.
    """
    home.mkdir(parents=True, exist_ok=True)
    note = Note(home / _NOTE)
    with open(home / _LOCK, "a") as lock:
        _take(lock, home, note)
        note.end_what_is_left()
        note.write(url, [])
        try:
            yield note
        finally:
            note.remove()


def _take(lock: IO[str], home: Path, note: Note) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        there = note.read()
        raise GroupstreamError(
            f"the platform of {home} is up already: {there.get('url')}, process {there.get('pid')}; "
            f"stop it with: kill {there.get('pid')}; or start another: --home FOLDER --port PORT"
        ) from None


class Note:
    """A file that names the processes of a platform, for the next one."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, url: str, pids: Sequence[int | None]) -> None:
        """Names them. A number alone is not enough: the system gives it away again."""
        processes = [[pid, _created(pid)] for pid in pids if pid is not None]
        content = {"pid": psutil.Process().pid, "url": url, "processes": processes}
        self._path.write_text(json.dumps(content))

    def read(self) -> dict[str, Any]:
        """What was written last."""
        try:
            content = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def end_what_is_left(self) -> None:
        """Ends those that live on."""
        for pid, created in self.read().get("processes", []):
            now = _created(pid)
            if created is not None and now is not None and abs(now - created) < _SAME_SECONDS:
                end_family(pid)

    def remove(self) -> None:
        """All have ended."""
        self._path.unlink(missing_ok=True)


def _created(pid: int) -> float | None:
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return None
