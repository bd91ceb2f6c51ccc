from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.waiting import wait_until


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory) -> Iterator[str]:
    """A real Prefect server for all tests of the session; its API address."""
    home = tmp_path_factory.mktemp("prefect")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}/api"
    blocks = {name: value for name, value in os.environ.items() if "BLOCK" in name}  # none, as tests/conftest.py says
    environment = prefect_environment(home, url) | {"PREFECT_SERVER_API_PORT": str(port)} | blocks
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1"]
    with open(home / "server.log", "wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            wait_for(f"{url}/health", server, home / "server.log")
            yield url
            _send_what_is_left()
        finally:
            server.terminate()
            server.wait(30)


def _send_what_is_left() -> None:
    """The last lines of the last run, which this process else tries to send for a minute when it ends."""
    from prefect.logging.handlers import APILogWorker

    APILogWorker.drain_all(timeout=10)


def prefect_environment(home: Path, url: str | None = None) -> dict[str, str]:
    """The environment of a process that uses this server, or, without one, a home of its own."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "GROUPSTREAM_"))}
    kept |= {"PREFECT_HOME": str(home), "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "NO_COLOR": "1", "COLUMNS": "200"}
    return kept | ({"PREFECT_API_URL": url} if url else {})


@pytest.fixture
def process_environment(tmp_path: Path, prefect_server: str) -> dict[str, str]:
    """The environment of a process that uses the server."""
    return prefect_environment(tmp_path / "home", prefect_server)


@pytest.fixture(scope="module")
def killed_at(tmp_path_factory: pytest.TempPathFactory, prefect_server: str) -> Iterator[Callable[..., None]]:
    """Builds the spec of these fields in a process that is killed there: killed_at(fields, stage, "START" or "N")."""
    environment = prefect_environment(tmp_path_factory.mktemp("killed"), prefect_server)
    command = [sys.executable, str(Path(__file__).with_name("killed_build.py"))]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as builds:

        def kill(fields: dict, stage: str, moment: str) -> None:
            print(json.dumps({"spec": fields, "stage": stage, "moment": moment}), file=builds.stdin, flush=True)
            end = json.loads(builds.stdout.readline())
            assert end["ended"] == -9, f"the build was not killed at {stage} {moment}: {end['said']}"

        yield kill


def wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    def answers() -> bool:
        assert server.poll() is None, f"the Prefect server ended: {log.read_text()[-2000:]}"
        try:
            with urllib.request.urlopen(url, timeout=5):
                return True
        except OSError:
            return False

    wait_until(answers, lambda: f"a Prefect server: {log.read_text()[-2000:]}")


@pytest.fixture
def with_server(prefect_server: str) -> Iterator[str]:
    """Flows that are called in this process use the server."""
    import prefect.main  # noqa: F401 - takes all handlers from the log when first imported: not in the midst of a test
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: prefect_server}):
        yield prefect_server


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where the datasets of a test lie."""
    return tmp_path / "datasets"


@pytest.fixture
def spec_fields(tmp_path: Path, root: Path) -> dict:
    """A small spec: 60 examples in 12 groups, three shards."""
    source = tmp_path / "source.jsonl"
    source.write_text("".join(f'{{"key": "k{i % 12}", "text": "text {"of " * (i % 7)}{i}"}}\n' for i in range(60)))
    return {
        "name": "small",
        "source": {"kind": "jsonl", "paths": [str(source)]},
        "partitioner": {"kind": "feature", "feature": "key"},
        "publish": {"root": str(root), "shard_bytes": 1200},
    }
