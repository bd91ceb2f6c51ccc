"""What people do to a run in the UI: cancel it in the midst of its work, and try one again that ended badly.

GROUPSTREAM_TESTS=all tries it with one process of a build, too, and after SIGKILL.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from registry import Registry, default_registry_url
from tests.extent import ALL
from tests.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]

LAST_WORD_SECONDS = 20  # Prefect's worker says once more that the run crashed, whatever has become of it by then


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Path]:
    """A build waits as long as this file is there, and writes its process number into it."""
    file = tmp_path / "hold"
    file.touch()
    yield file
    file.unlink(missing_ok=True)


@pytest.fixture
def root(platform, request) -> Path:
    return platform.root / request.node.name


@pytest.fixture
def fields(platform, write_source, root) -> dict[str, Any]:
    written = write_source(platform.sources, "stopped")
    return {**written, "publish": {**written["publish"], "root": str(root)}}


def held_process(hold: Path) -> psutil.Process:
    wait_until(lambda: hold.read_text().endswith("\n"), "held")
    return psutil.Process(int(hold.read_text()))


def states_of_runs(root: Path) -> list[str]:
    with closing(Registry(default_registry_url(str(root)))) as registry:
        return [run.state for run in registry.runs("stopped")]


def has_ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("num_workers", [1, 2] if ALL else [2])
def test_a_run_that_is_cancelled_in_the_midst_of_its_work_leaves_nothing(platform, fields, root, hold, num_workers):
    fields |= {"partitioner": {"kind": "function", "function": "waiting_groups:group_of", "features": ["key"]}}
    environment = {
        "PYTHONPATH": str(Path(__file__).with_name("waiting")),
        "GROUPSTREAM_ALLOWED_PACKAGES": "waiting_groups",
        "WAIT_FILE": str(hold),
    }
    spec = {**fields, "runner": {"num_workers": num_workers}}
    run = platform.submit("build-dataset/build-dataset", {"spec": spec}, environment)
    worker = held_process(hold)
    processes = [worker] if num_workers == 1 else [worker, worker.parent(), worker.parent().parent()]
    assert len(list((root / ".staging").glob("build-*"))) == 1
    answer = platform.request("POST", f"/flow_runs/{run}/set_state", {"state": {"type": "CANCELLING"}})
    assert answer["status"] == "ACCEPT"
    assert platform.wait_for_run(run, ["CANCELLED"])["state"]["name"] == "Cancelled"
    wait_until(lambda: all(map(has_ended, processes)), "ended")
    assert not list((root / ".staging").iterdir()) and not (root / "stopped").exists()
    assert states_of_runs(root) == ["failed"]
    hold.unlink()
    again = platform.submit("build-dataset/build-dataset", {"spec": spec}, environment)
    platform.wait_for_run(again, ["COMPLETED"])
    assert states_of_runs(root) == ["published", "failed"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM] if ALL else [signal.SIGTERM])
def test_a_run_that_is_tried_again_goes_on_where_it_ended(platform, fields, root, hold, number):
    holding = {"PYTHONPATH": str(Path(__file__).with_name("holding")), "HOLD_AT": "Publish", "HOLD_FILE": str(hold)}
    run = platform.submit("build-dataset/build-dataset", {"spec": fields}, holding)
    os.kill(held_process(hold).pid, number)
    platform.wait_for_run(run, ["CRASHED"])
    time.sleep(LAST_WORD_SECONDS)
    (folder,) = (root / ".staging").glob("build-*")
    assert (folder / "finished/partition.json").exists()
    hold.unlink()
    retry = {"state": {"type": "SCHEDULED", "name": "AwaitingRetry", "message": "Retry from the UI"}, "force": True}
    assert platform.request("POST", f"/flow_runs/{run}/set_state", retry)["status"] == "ACCEPT"
    platform.wait_for_run(run, ["COMPLETED"])
    assert "Partition: taken up from an earlier build: " in platform.run_log(run)
    assert states_of_runs(root) == ["published"], "the same run: one line"
    assert not [path for path in (root / ".staging").iterdir() if path.is_dir()]
