"""What the compose file says, done with processes: PostgreSQL, server, deployments, worker, a build, the registry."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.extent import ALL
from tests.prefect_api import ask
from tests.waiting import LONG, wait_until

REPOSITORY = Path(__file__).parents[2]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((REPOSITORY / "infra/compose.yaml").read_text())["services"]
SECRETS = {
    "POSTGRES_PASSWORD": "of the administrator",
    "PREFECT_DB_PASSWORD": "it's/of@prefect",
    "REGISTRY_DB_PASSWORD": "%41:of@groupstream",
    "PREFECT_AUTH": "admin:p@ss",
}


def filled_in(text: str) -> str:
    """What compose makes of ${NAME:?...} and ${NAME:-default}."""
    return re.sub(r"\$\{(\w+):(?:\?|-)([^}]*)\}", lambda found: SECRETS.get(found[1], found[2]), text)


def of_the_image() -> dict[str, str]:
    text = (REPOSITORY / "infra/worker/Dockerfile").read_text().replace("\\\n", "")
    return dict(pair.split("=", 1) for line in re.findall("^ENV (.*)", text, re.MULTILINE) for pair in line.split())


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@dataclass
class Stack:
    """Containers as processes: names of hosts and places inside become those of this machine."""

    home: Path
    postgres: int
    server: int
    health: int

    def environment(self, name: str) -> dict[str, str]:
        own = {key: filled_in(str(value)) for key, value in SERVICES[name]["environment"].items()}
        given = {key: self._here(key, value) for key, value in (of_the_image() | own).items()}
        ports = {"PREFECT_SERVER_API_PORT": str(self.server), "PREFECT_WORKER_WEBSERVER_PORT": str(self.health)}
        quick = {"PREFECT_WORKER_QUERY_SECONDS": "1", "HOME": str(self.home / name)}
        return {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", **given, **ports, **quick}

    def _here(self, key: str, value: str) -> str:
        if key == "PREFECT_SERVER_DATABASE_HOST":
            return "127.0.0.1"
        value = value.replace("server:4200", f"127.0.0.1:{self.server}").replace(
            "localhost:4200", f"127.0.0.1:{self.server}"
        )
        value = value.replace("postgres:5432", f"127.0.0.1:{self.postgres}").replace("0.0.0.0", "127.0.0.1")
        value = str(self.postgres) if value == "5432" else value
        return re.sub(r"(^|,)/(data|sources|tmp|home)\b", rf"\1{self.home}/\2", value)

    def command(self, name: str) -> list[str]:
        return [filled_in(part).replace("/sources", f"{self.home}/sources") for part in SERVICES[name]["command"]]

    def request(self, method: str, path: str, body: Any = None) -> Any:
        word = base64.b64encode(SECRETS["PREFECT_AUTH"].encode()).decode()
        headers = {"Authorization": f"Basic {word}"}
        return ask(method, f"http://127.0.0.1:{self.server}/api{path}", body, headers)


def wait_for(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    def look() -> bool:
        assert process.poll() is None, log.read_text()[-3000:]
        return ready()

    wait_until(look, lambda: log.read_text()[-3000:])


def is_there(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=9):
            return True
    except OSError:
        return False


@contextmanager
def running(
    command: list[str], environment: dict[str, str], folder: Path, log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folders = [*os.environ["PATH"].split(os.pathsep), *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]  # Debian's
    program = shutil.which("postgres", path=os.pathsep.join(folders))
    trigrams = Path("/usr/share/postgresql").glob("*/extension/pg_trgm.control")
    if program is None or not any(trigrams):
        pytest.skip("no PostgreSQL with pg_trgm on this machine; on Debian: apt-get install postgresql")
    binaries = Path(program).resolve().parent
    home = tmp_path_factory.mktemp("compose")
    for name in ("sources", "data", "home/worker", "server", "setup", "worker"):
        (home / name).mkdir(parents=True)
    postgres, server, health = free_ports(3)
    with postgresql(binaries, postgres):
        yield Stack(home, postgres, server, health)


@contextmanager
def postgresql(binaries: Path, port: int) -> Iterator[None]:
    """As its image starts it: the databases are made on a socket, before it listens to anybody."""
    folder = Path(tempfile.mkdtemp(prefix="postgresql"))
    user: dict[str, Any] = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    if user:
        shutil.chown(folder, "postgres", "postgres")
    environment = {
        **os.environ,
        **{key: filled_in(value) for key, value in SERVICES["postgres"]["environment"].items()},
    }

    def run(*command: str) -> None:
        program, *arguments = command
        subprocess.run(
            [binaries / program, *arguments],
            env=environment,
            cwd="/",
            check=True,
            timeout=LONG,
            stdout=subprocess.DEVNULL,
            **user,
        )

    data = str(folder / "data")
    start = ["pg_ctl", "--pgdata", data, "--wait", "--log", f"{folder}/log", "start", "--options"]
    run(
        "initdb",
        "--pgdata",
        data,
        "--username",
        "postgres",
        "--auth-local",
        "trust",
        "--auth-host",
        "scram-sha-256",
        "--no-sync",
    )
    run(*start, f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off")
    try:
        sql = folder / "databases.sql"
        shutil.copy(REPOSITORY / "infra/postgres/databases.sql", sql)
        run("psql", "--host", str(folder), "--username", "postgres", "--file", str(sql))
        run("pg_ctl", "--pgdata", data, "--wait", "stop")
        run(*start, f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} -c fsync=off")
        _, *healthy = SERVICES["postgres"]["healthcheck"]["test"]
        run(*healthy, "--port", str(port))
        yield
    finally:
        run("pg_ctl", "--pgdata", data, "--mode", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.mark.integration
@pytest.mark.timeout(1800)
def test_a_spec_becomes_a_version_in_the_registry(stack, tmp_path):
    lines = [json.dumps({"url": f"https://site{i % 20}.example/{i}", "text": f"page {i}"}) for i in range(400)]
    (stack.home / "sources/pages.jsonl").write_text("\n".join(lines))
    server, worker = stack.environment("server"), stack.environment("worker")
    with running(stack.command("server"), server, stack.home, tmp_path / "server.log") as process:
        wait_for(lambda: is_there(f"http://127.0.0.1:{stack.server}/api/ready"), process, tmp_path / "server.log")
        assert not is_there(f"http://127.0.0.1:{stack.server}/api/work_pools/groupstream")  # without the word: 401

        for _ in range(2 if ALL else 1):  # `docker compose up` a second time changes nothing
            setup = subprocess.run(
                stack.command("setup"),
                env=stack.environment("setup"),
                cwd=REPOSITORY,
                capture_output=True,
                text=True,
                timeout=LONG,
                check=False,
            )
            assert setup.returncode == 0, setup.stderr
        assert ("deployed" in setup.stdout) is not ALL

        image = (REPOSITORY / "infra/worker/Dockerfile").read_text()
        command = json.loads(re.findall(r"^CMD (.*)", image, re.MULTILINE)[0])
        with running(command, worker, stack.home, tmp_path / "worker.log") as process:
            wait_for(lambda: is_there(f"http://127.0.0.1:{stack.health}/health"), process, tmp_path / "worker.log")
            deployment = stack.request("GET", "/deployments/name/build-dataset/build-dataset")
            spec = {
                "name": "pages",
                "source": {"kind": "jsonl", "paths": ["pages.jsonl"]},
                "partitioner": {"kind": "url_domain", "feature": "url"},
            }
            run = stack.request(
                "POST", f"/deployments/{deployment['id']}/create_flow_run", {"parameters": {"spec": spec}}
            )

            def has_ended() -> bool:
                return bool(
                    stack.request("GET", f"/flow_runs/{run['id']}")["state"]["type"]
                    in ("COMPLETED", "FAILED", "CRASHED")
                )

            wait_for(has_ended, process, tmp_path / "worker.log")
            state = stack.request("GET", f"/flow_runs/{run['id']}")["state"]
            assert state["type"] == "COMPLETED", (tmp_path / "worker.log").read_text()[-3000:]

    assert (stack.home / "data/pages/1.0.0/manifest.json").is_file()
    assert not (stack.home / "data/registry.db").exists()
    asked = (
        "import os; from registry import Registry; "
        "print([version.ref for version in Registry(os.environ['GROUPSTREAM_REGISTRY_URL']).versions()])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", asked], env=worker, cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "['pages@1.0.0']"
