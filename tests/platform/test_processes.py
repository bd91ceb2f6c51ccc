"""Processes that are kept running, and what a killed platform leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from groupstream import GroupstreamError
from orchestration.environment import platform_environment
from orchestration.lock import sole_platform
from orchestration.processes import KeptProcess
from orchestration.waiting import wait_until

SLEEPS = "import time\nprint('started', flush=True)\ntime.sleep(600)\n"
ENDS = "print('cannot go on')\nraise SystemExit(3)\n"


# Starts a run that starts a process of its own, and notes as it is ended whether that one still lives.
STARTS = """
import subprocess, sys, time
subprocess.run([sys.executable, "-c", "import run"])
time.sleep(600)
"""
RUN = """
import signal, subprocess, sys, time
own = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
def end(*_):
    time.sleep(0.5)
    print("ended before its run" if own.poll() is not None else "lives", flush=True)
    own.kill()
    own.wait()
    sys.exit()
signal.signal(signal.SIGTERM, end)
print("started", flush=True)
time.sleep(600)
"""


def kept(tmp_path: Path, source: str) -> KeptProcess:
    (tmp_path / "played.py").write_text(source)
    paths = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    return KeptProcess("played", ["played"], tmp_path / "logs" / "played.log", environment)


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", SLEEPS], stdout=subprocess.DEVNULL)


def test_a_process_that_died_is_started_again_and_its_log_goes_on(tmp_path):
    process = kept(tmp_path, SLEEPS)
    process.start()
    first = process.pid
    wait_until(lambda: "started" in process.log.read_text(), process)
    psutil.Process(first).kill()
    news = []
    while len(news) < 2:
        news += filter(None, [process.tend()])
        time.sleep(0.05)
    assert news[0].startswith("played ended with -9; it starts again in 2 s; log: ")
    assert news[1] == "played starts again"
    second = process.pid
    assert second not in (None, first)
    process.stop()
    assert process.pid is None and not psutil.pid_exists(second)


def test_one_that_dies_at_once_waits_longer_each_time(tmp_path):
    process = kept(tmp_path, ENDS)
    process.start()
    ends = []
    while len(ends) < 2:
        ends += [news for news in [process.tend()] if news and "ended" in news]
        time.sleep(0.05)
    process.stop()
    assert ["in 2 s" in ends[0], "in 4 s" in ends[1]] == [True, True]


def test_waiting_for_one_that_ends_says_what_it_said(tmp_path):
    process = kept(tmp_path, ENDS)
    process.start()
    with pytest.raises(GroupstreamError, match=r"the played ended at once: cannot go on; log: .*played.log"):
        wait_until(lambda: False, process)


def test_what_a_run_has_started_is_ended_after_the_run(tmp_path):
    """Else it would be an error of its work: the run Failed instead of Crashed."""
    (tmp_path / "run.py").write_text(RUN)
    process = kept(tmp_path, STARTS)
    process.start()
    wait_until(lambda: "started" in process.log.read_text(), process)
    family = psutil.Process(process.pid).children(recursive=True)
    assert process.end_children()
    assert "lives" in process.log.read_text()
    assert process.pid is not None and not [child for child in family if child.is_running()]
    process.stop()


def test_what_a_killed_platform_left_is_ended_and_what_only_has_its_number_is_not(tmp_path):
    left, other = sleeper(), sleeper()
    with sole_platform(tmp_path, "http://there") as note:
        note.write("http://there", [left.pid, other.pid])
        content = json.loads((tmp_path / "up.json").read_text())
    content["processes"][1][1] -= 100  # a process that had the number before
    (tmp_path / "up.json").write_text(json.dumps(content))
    try:
        with sole_platform(tmp_path, "http://there"):
            assert left.poll() is not None
            assert other.poll() is None
    finally:
        for process in (left, other):
            process.kill()
            process.wait()


def test_two_in_one_home_are_refused(tmp_path):
    with (
        sole_platform(tmp_path, "http://there"),
        pytest.raises(GroupstreamError, match=rf"up already: http://there, process {os.getpid()}; stop it with: kill"),
        sole_platform(tmp_path, "http://here"),
    ):
        pass


def test_what_a_person_set_stays_but_for_the_places():
    given = {"GROUPSTREAM_ALLOWED_ROOTS": "/a,/b", "PREFECT_API_URL": "https://elsewhere/api", "OTHER": "1"}
    environment = platform_environment(Path("/home"), "/data", 4300, given)
    assert environment["GROUPSTREAM_ALLOWED_ROOTS"] == "/a,/b"
    assert environment["GROUPSTREAM_ALLOWED_RUNNERS"] == "local"
    assert environment["PREFECT_API_URL"] == "http://127.0.0.1:4300/api"
    assert (environment["GROUPSTREAM_ROOT"], environment["OTHER"]) == ("/data", "1")
