"""What a command takes, with all processes that it starts: `python -m benchmarks.pipeline.memory COMMAND ...`.

Memory is the sum of the proportional set sizes (PSS): a page that several processes share counts once, divided among
them. The sum of their resident sets (RSS) would count it in each, and forked workers share most of what they import. It
is sampled every 50 ms, or more rarely where looking takes long, so that it never costs more than a twentieth of a core;
what is held for less time than that can be missed. Disk is what files take, sampled every half second.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

PERIOD_SECONDS = 0.05
DISK_PERIOD_SECONDS = 0.5
_SHARE_OF_A_CORE = 0.05


@dataclass(frozen=True)
class Usage:
    """What a command took.

    Attributes:
        seconds: from its start to its end.
        peak_bytes: of memory, all its processes together.
        peak_disk_bytes: of the folders that were watched.
        output: the last line that it printed.
    """

    seconds: float
    peak_bytes: int
    peak_disk_bytes: int
    output: str

    @property
    def found(self) -> dict[str, float]:
        """Its last line, where that is JSON."""
        return dict(json.loads(self.output))


def watch(command: Sequence[str], folders: Iterable[Path] = ()) -> Usage:
    """Runs a command and watches it.

    Args:
        folders: whose files are added up.

    Raises:
        RuntimeError: it failed; the message has the end of what it wrote to standard error.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        start = time.perf_counter()
        with subprocess.Popen(command, stdout=out, stderr=errors, text=True) as process:
            peak_bytes, peak_disk_bytes = _sample(process, tuple(folders))
        seconds = time.perf_counter() - start
        if process.returncode:
            errors.seek(0)
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {errors.read()[-2000:]}")
        out.seek(0)
        lines = out.read().splitlines() or [""]
    return Usage(seconds, peak_bytes, peak_disk_bytes, lines[-1])


def _sample(process: subprocess.Popen[str], folders: tuple[Path, ...]) -> tuple[int, int]:
    """Peaks of memory and disk until the process ends."""
    root = psutil.Process(process.pid)
    memory = disk = 0
    disk_due = time.perf_counter()
    while process.poll() is None:
        began = time.perf_counter()
        memory = max(memory, tree_bytes(root))
        if folders and began >= disk_due:
            disk = max(disk, sum(map(folder_bytes, folders)))
            disk_due = time.perf_counter() + DISK_PERIOD_SECONDS
        took = time.perf_counter() - began
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(PERIOD_SECONDS, took / _SHARE_OF_A_CORE))
    return memory, max(disk, sum(map(folder_bytes, folders)))


def tree_bytes(root: psutil.Process) -> int:
    """PSS of a process and all that it started; one that has ended counts 0."""
    try:
        return sum(_pss_bytes(process.pid) for process in [root, *root.children(recursive=True)])
    except psutil.NoSuchProcess:
        return 0


def _pss_bytes(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            return next((int(line.split()[1]) << 10 for line in file if line.startswith("Pss:")), 0)
    except (FileNotFoundError, ProcessLookupError):
        return 0


def folder_bytes(folder: Path) -> int:
    """What the files below a folder take on disk; those that vanish meanwhile count 0."""
    total, waiting = 0, [str(folder)]
    while waiting:
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                    continue
                with suppress(FileNotFoundError):
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
    return total


if __name__ == "__main__":
    print(json.dumps(asdict(watch(sys.argv[1:]))))
