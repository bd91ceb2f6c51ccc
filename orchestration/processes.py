"""A process that is kept running: its log, its end, its next start."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

STOP_SECONDS = 30
_MAX_LOG_BYTES = 10_000_000
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0
_STEADY_SECONDS = 60.0  # what has run so long had started well


class KeptProcess:
    """Starts a module of Python; starts it again when it has died, each time after a longer wait.

    Its output goes to a file, which grows to 10 MB and then makes room for another; the one before is kept.
    """

    def __init__(self, name: str, arguments: Sequence[str], log: Path, environment: dict[str, str]) -> None:
        self.name = name
        self.log = log
        self._arguments = list(arguments)
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._wait = _FIRST_WAIT
        self._due: float | None = None

    @property
    def pid(self) -> int | None:
        """Of the process, if one runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """Starts it."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > _MAX_LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        command = [sys.executable, "-m", "orchestration.child", str(os.getpid()), *self._arguments]
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,  # Ctrl-C at the terminal is for the command, which then ends them in order
            )
        self._started, self._due = time.monotonic(), None

    def tend(self) -> str | None:
        """Starts it again if it has died and its time has come; what there is to say about that."""
        now = time.monotonic()
        if self._process is None or self._process.poll() is None:
            return None
        if self._due is None:
            self._wait = _FIRST_WAIT if now - self._started > _STEADY_SECONDS else min(self._wait * 2, _LONGEST_WAIT)
            self._due = now + self._wait
            ended = f"{self.name} ended with {self._process.returncode}"
            return f"{ended}; it starts again in {self._wait:.0f} s; log: {self.log}"
        if now >= self._due:
            self.start()
            return f"{self.name} starts again"
        return None

    def end_children(self, seconds: float = STOP_SECONDS) -> bool:
        """Ends what it has started, not it: it can still say what became of them. Whether there was something.

        What those have started ends after them: a run whose processes die first takes that for an error of its work.
        """
        family = _family(self.pid)[1:] if self.pid is not None else []
        _end([process for process in family if _parent(process) == self.pid], seconds)
        _end(family, seconds)
        return bool(family)

    def stop(self) -> None:
        """Ends it and all that it has started; by force what does not end by itself."""
        if self._process is not None and self.pid is not None:
            end_family(self._process.pid)
            self._process.wait()


def last_lines(log: Path, num_lines: int = 3) -> str:
    """The last lines of a log, as one."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return " / ".join([line.strip() for line in lines if line.strip()][-num_lines:])


def end_family(pid: int, seconds: float = STOP_SECONDS) -> None:
    """Ends a process and its descendants; kills those that do not end by themselves."""
    _end(_family(pid), seconds)


def _end(processes: Sequence[psutil.Process], seconds: float) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, living = psutil.wait_procs(processes, timeout=seconds)
    rest = {each for process in living for each in _family(process.pid)}
    for process in rest:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(list(rest), timeout=seconds)


def _parent(process: psutil.Process) -> int | None:
    with suppress(psutil.NoSuchProcess):
        return process.ppid()
    return None


def _family(pid: int) -> list[psutil.Process]:
    """A process and its descendants, itself first."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
