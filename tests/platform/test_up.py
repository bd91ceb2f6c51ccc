"""`groupstream up`: one home, one platform; what people changed stays; nothing lives on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import yaml

from tests.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]

REPOSITORY = Path(__file__).parents[2]
GROUPSTREAM = [sys.executable, "-c", "from groupstream.cli import main; main()"]


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*GROUPSTREAM, *arguments], env=environment, capture_output=True, text=True, check=False)


def runs(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def schedule(platform) -> dict:
    (found,) = platform.deployment("maintain/maintain")["schedules"]
    return found


def test_what_people_changed_stays_and_nothing_lives_on(start_platform, tmp_path):
    first = start_platform()
    maintain = first.deployment("maintain/maintain")
    first.request("PATCH", f"/deployments/{maintain['id']}/schedules/{schedule(first)['id']}", {"active": True})
    first.request("PATCH", f"/deployments/{maintain['id']}", {"parameters": {"verify_versions": 9}})
    (zombies,) = [
        each for each in first.request("POST", "/automations/filter", {}) if each["name"] == "groupstream-silent-runs"
    ]
    first.request("PATCH", f"/automations/{zombies['id']}", {"enabled": False})

    port = first.api_url.removesuffix("/api").rpartition(":")[2]
    second_home = run(first.environment, "up", "--home", str(first.home), "--port", "1")
    assert second_home.returncode == 1
    assert f"{first.home} is up already" in second_home.stderr and f"kill {first.process.pid}" in second_home.stderr
    second_port = run(first.environment, "up", "--home", str(tmp_path / "other"), "--port", port)
    assert second_port.returncode == 2
    assert f"port {port} of 127.0.0.1 cannot be taken" in second_port.stderr

    killed = first.worker_pid
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: len(first._pids()) == 2 and first.worker_pid != killed, "the worker is started again")
    assert "worker ended with -9; it starts again in" in (tmp_path / "up.log").read_text()

    under_way = first.submit("build-dataset/stdlib")
    first.wait_for_run(under_way, ["RUNNING"])
    family = psutil.Process(first.process.pid).children(recursive=True)
    assert {first.server_pid, first.worker_pid} <= {process.pid for process in family}
    assert first.stop() == 0
    assert not [process for process in family if runs(process)]
    assert not (first.home / "up.json").exists()

    again = start_platform()
    ended = again.run(under_way)["state"]
    assert ended["type"] == "CRASHED", f"it does not stand at Running for ever: {ended}"
    assert again.deployment("maintain/maintain")["id"] == maintain["id"]
    assert again.deployment("maintain/maintain")["parameters"] == {"verify_versions": 9}
    assert schedule(again)["active"]
    assert not again.request("GET", f"/automations/{zombies['id']}")["enabled"]
    names = [each["name"] for each in again.request("POST", "/automations/filter", {})]
    assert len(names) == len(set(names))

    changed = yaml.safe_load((REPOSITORY / "prefect.yaml").read_text())
    for entry in changed["deployments"]:
        if entry["name"] == "maintain":
            entry["parameters"] = {"verify_versions": 5}
    (tmp_path / "prefect.yaml").write_text(yaml.safe_dump(changed))
    automations = yaml.safe_load((REPOSITORY / "automations.yaml").read_text())
    for entry in automations["automations"]:
        if entry["name"] == "groupstream-silent-runs":
            entry["trigger"]["within"] = 240
    (tmp_path / "automations.yaml").write_text(yaml.safe_dump(automations))
    done = run(again.environment, "deploy", "--file", str(tmp_path / "prefect.yaml"))
    assert done.returncode == 0, done.stderr
    assert "maintain/maintain  deployed" in done.stdout
    assert "build-dataset/stdlib  as it was" in done.stdout
    assert again.deployment("maintain/maintain")["parameters"] == {"verify_versions": 5}
    assert schedule(again)["active"], "what a person switched on stays on"
    changed_automation = again.request("GET", f"/automations/{zombies['id']}")
    assert (changed_automation["trigger"]["within"], changed_automation["enabled"]) == (240, False)

    if sys.platform == "linux":
        family = [psutil.Process(again.server_pid), psutil.Process(again.worker_pid)]
        again.process.kill()
        again.process.wait()
        wait_until(lambda: not any(map(runs, family)), "server and worker end with the command, even if that is killed")
