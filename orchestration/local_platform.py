"""A server, a worker and all deployments on this machine, kept running."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from groupstream import GroupstreamError
from orchestration.definitions import AUTOMATIONS_FILE
from orchestration.environment import api_url, platform_environment
from orchestration.lock import Note, sole_platform
from orchestration.processes import KeptProcess, last_lines
from orchestration.waiting import is_healthy, is_polling, refuse_taken_port, wait_until

POOL = "groupstream"
WORKER = "local"
_LOOK_SECONDS = 0.5
_LAST_WORD_SECONDS = 3  # a worker needs as long to tell the server how a run ended

Say = Callable[[str], None]


@dataclass(frozen=True)
class Place:
    """Where a platform lives.

    Attributes:
        home: Prefect's database, and the logs.
        root: of the datasets.
        limit: at most so many runs at once.
    """

    home: Path
    root: str
    port: int
    prefect_file: Path
    limit: int
    has_worker: bool = True

    @property
    def url(self) -> str:
        """Of the UI."""
        return api_url(self.port).removesuffix("/api")


@contextmanager
def running(place: Place, say: Say) -> Iterator[LocalPlatform]:
    """Inside, the platform is up; at the end nothing of it lives on. SIGTERM does what Ctrl-C does."""
    with _terminated_as_interrupted(), sole_platform(place.home, place.url) as note:
        refuse_taken_port(place.port)
        platform = LocalPlatform(place, note, say)
        try:
            platform.start()
            yield platform
        finally:
            _ignore_signals()
            platform.stop()


class LocalPlatform:
    """See `running`."""

    def __init__(self, place: Place, note: Note, say: Say) -> None:
        self._place, self._note, self._say = place, note, say
        self.environment = platform_environment(place.home, place.root, place.port)
        self._api = self.environment["PREFECT_API_URL"]
        self.server = self._kept("server", ["orchestration.server"])
        self.worker = self._kept("worker", ["prefect", "worker", "start", "--pool", POOL, "--name", WORKER])
        self.deployments: dict[str, str] = {}
        self._deploy_log = self.server.log.with_name("deploy.log")

    def _kept(self, name: str, arguments: list[str]) -> KeptProcess:
        return KeptProcess(name, arguments, self._place.home / "logs" / f"{name}.log", self.environment)

    def start(self) -> None:
        """Starts all, each as soon as what it needs is there."""
        self._say("Starting the server")
        self._start(self.server)
        deploying = self._deploying()
        try:
            wait_until(lambda: is_healthy(self._api), self.server)
            self._say("Deploying")
            self.deployments = self._deployments(deploying)
        finally:
            deploying.kill()
        if self._place.has_worker:
            self._say("Starting the worker")
            since = datetime.now(UTC)
            self._start(self.worker)
            wait_until(lambda: is_polling(self._api, POOL, WORKER, since), self.worker)

    def _start(self, process: KeptProcess) -> None:
        process.start()
        self._note.write(self._place.url, [self.server.pid, self.worker.pid])

    def _deploying(self) -> subprocess.Popen[str]:
        """A process that loads the flows while the server starts, then deploys: it needs Beam, this one does not."""
        file = self._place.prefect_file
        arguments = ["--file", str(file), "--automations", str(file.with_name(AUTOMATIONS_FILE)), "--wait", "--json"]
        arguments += ["--limit", str(self._place.limit), "--folder", str(Path.cwd())]
        command = [sys.executable, "-c", "from groupstream.cli import main; main()", "deploy", *arguments]
        with open(self._deploy_log, "w") as log:
            return subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, stderr=log, text=True)

    def _deployments(self, deploying: subprocess.Popen[str]) -> dict[str, str]:
        out, _ = deploying.communicate()
        if deploying.returncode != 0:
            reason = last_lines(self._deploy_log, 1).removeprefix("error: ")[:500]
            raise GroupstreamError(f"deploying failed: {reason}; log: {self._deploy_log}")
        found: dict[str, str] = json.loads(out)["deployments"]
        return found

    def tend(self) -> None:
        """Keeps both running until a signal ends it."""
        kept = [self.server, *([self.worker] if self._place.has_worker else [])]
        while True:
            for process in kept:
                pid = process.pid
                if (news := process.tend()) is not None:
                    self._say(news)
                if process.pid != pid:
                    self._note.write(self._place.url, [each.pid for each in kept])
            time.sleep(_LOOK_SECONDS)

    def stop(self) -> None:
        """The runs first, while the worker can tell that they crashed; the worker next, while the server hears it."""
        self._say("Stopping")
        if self.worker.end_children():
            self._say("Runs were under way; they have ended as Crashed and can be run again")
            time.sleep(_LAST_WORD_SECONDS)
        self.worker.stop()
        self.server.stop()


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(each, signal.default_int_handler) for each in signals]
    try:
        yield
    finally:
        for each, handler in zip(signals, before, strict=True):
            signal.signal(each, handler)


def _ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
