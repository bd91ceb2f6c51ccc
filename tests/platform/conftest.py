"""The platform as `groupstream up` runs it: a server, a worker, all deployments, in a home and a root of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.prefect_api import ask
from tests.waiting import wait_until

REPOSITORY = Path(__file__).parents[2]
TERMINAL_STATES = ("COMPLETED", "FAILED", "CANCELLED", "CRASHED")


@dataclass
class Platform:
    """A platform that runs.

    Attributes:
        root: where it publishes.
        sources: the folder it was started in, which its builds may read.
        environment: of a child process that uses it.
        lines: what `groupstream up` printed: UI, build, API, datasets, logs.
    """

    process: subprocess.Popen[bytes]
    home: Path
    root: Path
    sources: Path
    environment: dict[str, str]
    lines: dict[str, str] = field(default_factory=dict)

    @property
    def api_url(self) -> str:
        return self.lines["API"]

    @property
    def ui_url(self) -> str:
        return self.lines["UI"]

    @property
    def server_pid(self) -> int:
        return self._pids()[0]

    @property
    def worker_pid(self) -> int:
        return self._pids()[1]

    def _pids(self) -> list[int]:
        return [pid for pid, _ in json.loads((self.home / "up.json").read_text())["processes"]]

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """Asks the API, such as ("POST", "/flow_runs/filter", {})."""
        return ask(method, f"{self.api_url}{path}", body)

    def deployment(self, name: str) -> dict[str, Any]:
        """A deployment, by flow/name."""
        return self.request("GET", f"/deployments/name/{name}")

    def submit(
        self, deployment: str, parameters: dict[str, Any] | None = None, environment: dict[str, str] | None = None
    ) -> str:
        """Asks for a run of a deployment, as the UI does; the id of the run. Its process gets the environment, too."""
        path = f"/deployments/{self.deployment(deployment)['id']}/create_flow_run"
        body = {"parameters": parameters or {}, "state": {"type": "SCHEDULED"}}
        return self.request("POST", path, body | ({"job_variables": {"env": environment}} if environment else {}))["id"]

    def run(self, run_id: str) -> dict[str, Any]:
        """A run as the API shows it."""
        return self.request("GET", f"/flow_runs/{run_id}")

    def wait_for_run(self, run_id: str, states: Iterable[str] = TERMINAL_STATES) -> dict[str, Any]:
        """The run as soon as its state is one of these types or names."""
        wanted = set(states)

        def look() -> dict[str, Any] | None:
            run = self.run(run_id)
            state = run["state"]
            if {state["type"], state["name"]} & wanted:
                return run
            assert state["type"] not in TERMINAL_STATES, f"{state}: {self.run_log(run_id)}"
            return None

        return wait_until(look, lambda: f"{wanted}: {self.run(run_id)['state']}; {self.log_tail()}")

    def run_log(self, run_id: str) -> str:
        """The lines that the page of a run shows."""
        body = {"logs": {"flow_run_id": {"any_": [run_id]}}, "sort": "TIMESTAMP_ASC", "limit": 200}
        return "\n".join(each["message"] for each in self.request("POST", "/logs/filter", body))

    def log_tail(self) -> str:
        """The ends of the logs of all its processes."""
        logs = [self.home.parent / "up.log", *sorted((self.home / "logs").glob("*.log"))]
        return "\n".join(f"{log.name}: {log.read_text(errors='replace')[-1500:]}" for log in logs if log.exists())

    def stop(self) -> int:
        """Ends it as Ctrl-C does; its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(120)


StartPlatform = Callable[..., Platform]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running_platform(folder: Path, *arguments: str, environment: dict[str, str] | None = None) -> Iterator[Platform]:
    """Runs `groupstream up` in a folder, which may hold the home and root of one before."""
    home, root, sources = folder / "home", folder / "datasets", folder / "sources"
    sources.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [sys.executable, "-c", "from groupstream.cli import main; main()", "up"]
    command += ["--home", str(home), "--root", str(root), "--port", str(port), *arguments]
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "GROUPSTREAM_"))}
    kept |= {"PREFECT_WORKER_QUERY_SECONDS": "1", "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "10"}
    kept |= {"NO_COLOR": "1", "COLUMNS": "200"} | (environment or {})
    with open(folder / "up.out", "wb") as out, open(folder / "up.log", "wb") as log:
        process = subprocess.Popen(command, cwd=sources, env=kept, stdout=out, stderr=log)
    api = f"http://127.0.0.1:{port}/api"
    places = {"PREFECT_API_URL": api, "PREFECT_HOME": str(home), "GROUPSTREAM_ROOT": str(root)}
    platform = Platform(process, home, root, sources, kept | places)
    try:
        _wait_until_up(platform, folder / "up.out")
        yield platform
    finally:
        _end(platform)


def _wait_until_up(platform: Platform, out: Path) -> None:
    def look() -> bool:
        assert platform.process.poll() is None, f"groupstream up ended: {platform.log_tail()}"
        complete = [line.split(maxsplit=1) for line in out.read_text().splitlines(keepends=True) if line.endswith("\n")]
        platform.lines |= {name: value.strip() for name, value in complete}
        return "logs" in platform.lines

    wait_until(look, lambda: f"up: {platform.log_tail()}")


def _end(platform: Platform) -> None:
    """Whatever happened: nothing lives on."""
    family = [child for pid in (platform.process.pid, *_noted(platform)) for child in _family(pid)]
    try:
        platform.stop()
    except subprocess.TimeoutExpired:
        platform.process.kill()
        platform.process.wait()
    for process in family:
        if process.is_running():
            process.kill()


def _noted(platform: Platform) -> list[int]:
    """Server and worker, also where the command itself was killed."""
    note = platform.home / "up.json"
    return platform._pids() if note.exists() else []


def _family(pid: int) -> list[psutil.Process]:
    try:
        return [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """One for all tests that change nothing in it but their own datasets. No event of it is given up."""
    with running_platform(tmp_path_factory.mktemp("platform")) as started:
        yield started
        dead_letters = [each.read_text() for each in (started.home / "dlq").glob("*")]
        assert not dead_letters, f"{len(dead_letters)}, such as {dead_letters[0][:2000]}"


@pytest.fixture
def start_platform(tmp_path: Path) -> Iterator[StartPlatform]:
    """Starts a platform of the test's own: start_platform(*arguments of `up`, environment={...}, folder=...).

    Without a folder, one that was started before in the same test is found again.
    """
    with ExitStack() as stack:

        def start(*arguments: str, environment: dict[str, str] | None = None, folder: Path = tmp_path) -> Platform:
            folder.mkdir(exist_ok=True)
            return stack.enter_context(running_platform(folder, *arguments, environment=environment))

        yield start


@pytest.fixture
def submit(platform: Platform) -> Callable[..., str]:
    """See `Platform.submit`."""
    return platform.submit


@pytest.fixture
def wait_for_run(platform: Platform) -> Callable[..., dict[str, Any]]:
    """See `Platform.wait_for_run`."""
    return platform.wait_for_run


@pytest.fixture
def write_source() -> Callable[..., dict[str, Any]]:
    """Writes 60 examples in 12 groups; the fields of a spec that builds them in three shards."""

    def write(sources: Path, name: str = "small", num_examples: int = 60) -> dict[str, Any]:
        path = sources / f"{name}.jsonl"
        lines = (f'{{"key": "k{i % 12}", "text": "text {"of " * (i % 7)}{i}"}}\n' for i in range(num_examples))
        path.write_text("".join(lines))
        return {
            "name": name,
            "source": {"kind": "jsonl", "paths": [str(path)]},
            "partitioner": {"kind": "feature", "feature": "key"},
            "publish": {"shard_bytes": 1200},
        }

    return write
