"""Whole builds on a fake of Dataflow: the flow, and the command that is interrupted."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from apache_beam.internal.gcp import auth

from flows.build_dataset import build_dataset
from groupstream.testing import GcsServer
from pipelines.testing import DataflowServer
from specs import Spec

pytestmark = pytest.mark.integration


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[GcsServer]:
    monkeypatch.setattr(auth._Credentials, "_credentials_init", True)  # else Beam looks for credentials for 24 s
    with GcsServer("bucket") as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        lines = [orjson.dumps({"key": f"k{row % 7}", "text": f"row {row}"}) for row in range(70)]
        server.buckets.put("bucket", "source/part.jsonl", b"\n".join(lines) + b"\n")
        yield server


def fields(runner: dict[str, Any], root: str) -> dict[str, Any]:
    return {
        "name": "test",
        "source": {"kind": "jsonl", "paths": ["gs://bucket/source/*.jsonl"]},
        "partitioner": {"kind": "feature", "feature": "key"},
        "publish": {"root": root},
        "runner": runner,
    }


def runner_at(server: DataflowServer) -> dict[str, Any]:
    options = {"dataflow_endpoint": server.endpoint, "no_auth": True}
    place = {"project": "p", "region": "r", "sdk_container_image": "i"}
    return {"kind": "dataflow", **place, "poll_seconds": 0.1, "options": options}


def stored(bucket: GcsServer) -> list[str]:
    return [each.name for each in bucket.buckets.list("bucket", "datasets", "", "", 1000).objects]


def test_a_version_that_was_built_on_dataflow_is_that_of_this_machine(bucket, with_server, root, monkeypatch, tmp_path):
    monkeypatch.setenv("GROUPSTREAM_REGISTRY_URL", f"sqlite:///{tmp_path}/registry.db")
    here = build_dataset(Spec.model_validate(fields({}, str(root))))
    with DataflowServer(bucket) as server:
        there = build_dataset(Spec.model_validate(fields(runner_at(server), "gs://bucket/datasets")))
        again = build_dataset(Spec.model_validate(fields(runner_at(server), "gs://bucket/datasets")))
        assert len(server.jobs) == 1
    assert there.built and there.manifest == here.manifest
    assert not again.built
    published = {name.removeprefix("datasets/test/1.0.0/") for name in stored(bucket)}
    assert {"manifest.json", "train.groups.parquet"} <= published and not any(".staging" in name for name in published)


TAKE_INTERRUPTS = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background has its commands ignore it
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_command_that_is_ended_cancels_its_job_and_says_so(bucket, process_environment, tmp_path, number, exit_code):
    registry = {"GROUPSTREAM_REGISTRY_URL": f"sqlite:///{tmp_path}/registry.db"}
    environment = process_environment | registry | {"STORAGE_EMULATOR_HOST": bucket.url, "NO_GCE_CHECK": "true"}
    with DataflowServer(bucket, ["RUNNING"]) as server, (tmp_path / "said").open("wb") as said:
        (tmp_path / "spec.yaml").write_text(yaml.safe_dump(fields(runner_at(server), "gs://bucket/datasets")))
        command = [sys.executable, "-c", TAKE_INTERRUPTS, Path(sys.executable).with_name("groupstream"), "build"]
        build = subprocess.Popen([*command, "spec.yaml"], cwd=tmp_path, env=environment, stdout=said, stderr=said)
        wait_until(lambda: any("/messages" in request.path for request in server.requests), build)
        build.send_signal(number)
        assert build.wait(60) == exit_code
        assert server.job.is_cancelled
    assert f"warning: cancelled Dataflow job {server.job.id}" in (tmp_path / "said").read_text()
    assert stored(bucket) == []


def wait_until(is_so: Any, build: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 120
    while not is_so():
        assert build.poll() is None and time.monotonic() < until
        time.sleep(0.05)
