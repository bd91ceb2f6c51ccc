"""Where a benchmark ran: the machine, the versions of libraries, the command."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict


class Machine(BaseModel):
    """What it is.

    Attributes:
        device: that computes, where it is not the processor.
        load: of the system in the minute before the benchmark ended; beside a core for each process of its own, it says
            whether something else ran.
    """

    model_config = ConfigDict(frozen=True)

    processor: str
    cores: int
    memory_bytes: int
    system: str
    device: str | None = None
    load: float = 0.0

    def __str__(self) -> str:
        gib = self.memory_bytes / 2**30
        words = [self.processor, f"{self.cores} cores", f"{gib:.0f} GiB", *([self.device] if self.device else [])]
        return ", ".join(words)


def this_machine(device: str | None = None) -> Machine:
    """The one that runs this."""
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
        system=platform.system(),
        device=device,
        load=round(os.getloadavg()[0], 1),
    )


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def versions_of(libraries: Mapping[str, str] | Sequence[str]) -> dict[str, str]:
    """Of Python, and of those libraries that are installed; or the versions that another process told."""
    found = {"Python": platform.python_version()}
    if isinstance(libraries, Mapping):
        return found | dict(libraries)
    for library in libraries:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return found


def versions_line(libraries: Sequence[str]) -> str:
    """What it ran on, in one line of Markdown."""
    python, *others = (f"{name} {version}" for name, version in versions_of(libraries).items())
    return f"{python}, {os.cpu_count()} cores, {', '.join(others)}."


def command_line(arguments: Sequence[str] | None = None) -> str:
    """What was called, with FOLDER for each path: those are of one machine only."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    module = spec.name.removesuffix(".__main__") if spec is not None else Path(sys.argv[0]).name
    words = ("FOLDER" if os.sep in word else word for word in (sys.argv[1:] if arguments is None else arguments))
    return " ".join(["python", "-m", module, *words])


def today() -> str:
    """The day, in UTC."""
    return datetime.now(UTC).date().isoformat()
