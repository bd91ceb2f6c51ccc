"""What the server does by itself: it tells of failures, and starts what is to follow a published version."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue

import pytest

from tests.waiting import LONG, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]


@pytest.fixture
def inbox() -> Iterator[tuple[str, Queue[tuple[str, str]]]]:
    """A chat's incoming webhook: its address, and what it got, as (content type, body)."""
    got: Queue[tuple[str, str]] = Queue()

    class Chat(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self.send_response(200)
            self.end_headers()
            got.put((self.headers["Content-Type"], body))

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Chat) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/hooks/a-secret", got
        server.shutdown()


def deploy(platform, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from groupstream.cli import main; main()", "deploy"]
    return subprocess.run(command, env=platform.environment | environment, capture_output=True, text=True, check=False)


def automation(platform, name: str) -> dict:
    found = platform.request("POST", "/automations/filter", {"automations": {"name": {"any_": [name]}}})
    assert len(found) == 1, f"{name}: {found}"
    return found[0]


def test_who_wants_to_know_is_told_why_a_build_failed(platform, write_source, inbox) -> None:
    address, got = inbox
    done = deploy(platform, GROUPSTREAM_WEBHOOK_URL=address)
    assert done.returncode == 0 and "groupstream-failures" in done.stdout, done.stderr
    assert "a-secret" not in done.stdout + done.stderr
    spec = write_source(platform.sources, "told") | {"checks": {"groups": {"min_groups": 1_000_000}}}
    run = platform.submit("build-dataset/build-dataset", {"spec": spec})
    platform.wait_for_run(run, ["FAILED"])
    kind, body = got.get(timeout=LONG)
    text = json.loads(body)["text"]
    assert kind == "application/json"
    assert "build-dataset build told Failed: " in text and run in text
    assert "number of groups: 12, the limit is at least 1,000,000" in text


def test_an_address_that_is_none_is_refused_and_not_shown(platform) -> None:
    done = deploy(platform, GROUPSTREAM_WEBHOOK_URL="a-secret-and-no-address")
    assert done.returncode == 2 and "GROUPSTREAM_WEBHOOK_URL is no address" in done.stderr
    assert "a-secret" not in done.stderr


def test_a_published_version_starts_what_is_to_follow(platform, write_source) -> None:
    with switched_on(platform, "groupstream-verify-published"):
        run = platform.submit("build-dataset/build-dataset", {"spec": write_source(platform.sources, "followed")})
        platform.wait_for_run(run, ["COMPLETED"])
        following = run_on(platform, "verify-version", "followed@1.0.0")
    assert following["parameters"] == {"ref": "followed@1.0.0", "root": str(platform.root)}
    platform.wait_for_run(following["id"], ["COMPLETED"])


def test_a_published_version_is_trained_on(platform, write_source) -> None:
    """With the spec that stands at the deployment; here one that takes seconds."""
    deployment = platform.deployment("train-and-benchmark/train-and-benchmark")
    spec = {
        "dataset": "stdlib",  # the event says another one
        "model": {"kind": "transformer", "sequence_length": 8, "tokenizer": {"kind": "bytes"}},
        "rounds": 2,
        "cohort_size": 2,
        "local_steps": 1,
        "evaluation": {"max_groups": 4, "fraction": 0.4, "learning_rates": [0.1]},
    }
    platform.request("PATCH", f"/deployments/{deployment['id']}", {"parameters": {"spec": spec}})
    try:
        with switched_on(platform, "groupstream-train-published"):
            run = platform.submit("build-dataset/build-dataset", {"spec": write_source(platform.sources, "trained")})
            platform.wait_for_run(run, ["COMPLETED"])
            training = run_on(platform, "train-and-benchmark", "trained@1.0.0")
        platform.wait_for_run(training["id"], ["COMPLETED"])
    finally:
        platform.request("PATCH", f"/deployments/{deployment['id']}", {"parameters": deployment["parameters"]})
    (report,) = (platform.root / ".training").glob("trained@1.0.0-*/report.html")
    assert "trained@1.0.0" in report.read_text()
    shown = platform.request("POST", "/artifacts/filter", {"flow_runs": {"id": {"any_": [training["id"]]}}})
    assert {"trained-training", "trained-training-report"} <= {artifact["key"] for artifact in shown}


@contextmanager
def switched_on(platform, name: str) -> Iterator[None]:
    """Inside, an automation does what it is for."""
    found = automation(platform, name)
    assert not found["enabled"], "nothing follows that nobody has switched on"
    platform.request("PATCH", f"/automations/{found['id']}", {"enabled": True})
    try:
        yield
    finally:
        platform.request("PATCH", f"/automations/{found['id']}", {"enabled": False})


def run_on(platform, deployment: str, ref: str) -> dict:
    """The run of a deployment with a version, as soon as there is one."""
    asked = {"deployments": {"name": {"any_": [deployment]}}, "limit": 20}

    def look() -> dict | None:
        runs = platform.request("POST", "/flow_runs/filter", asked)
        return next((run for run in runs if run["parameters"].get("ref") == ref), None)

    return wait_until(look, lambda: f"a run of {deployment} on {ref}; {platform.log_tail()}")
