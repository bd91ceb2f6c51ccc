"""The worker processes of the local runner: they are as the process that wants them, and never outlive it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import apache_beam as beam
import grpc
import psutil
import pytest
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc

from pipelines.runners import worker_processes
from pipelines.runners.local import run_here
from pipelines.staging import staging_area
from specs import Local

pytestmark = pytest.mark.integration

HOLD = """
import sys, time
from pathlib import Path
import apache_beam as beam
from pipelines.runners.local import run_here
from pipelines.staging import staging_area
from specs import Local

def build(pipeline):
    _ = pipeline | beam.Create([1]) | beam.Map(print, file=sys.stderr) | beam.Map(lambda _: time.sleep(600))

with staging_area(Path(sys.argv[1])) as staging:
    print(staging.scratch, flush=True)
    run_here(build, Local(num_workers=2), staging)
"""

PRINT = """
import sys
import apache_beam as beam
from pipelines.runners.local import run_here
from pipelines.staging import staging_area
from specs import Local

sys.path[:0] = sys.argv[2:]
with staging_area(sys.argv[1]) as staging:
    run_here(lambda pipeline: pipeline | beam.Create([1]) | beam.Map(print), Local(num_workers=2), staging)
print("done")
"""


def _describe(folder: str) -> None:
    Path(folder, f"{os.getpid()}.txt").write_text(f"{os.environ['GROUPSTREAM_TEST']}\n{Path.cwd()}\n{os.getpgid(0)}")


def test_workers_have_the_environment_and_the_folder_of_the_build(tmp_path, monkeypatch):
    found = tmp_path / "found"
    found.mkdir()
    for value in ("first", "second"):
        monkeypatch.setenv("GROUPSTREAM_TEST", value)
        monkeypatch.chdir(tmp_path)
        with staging_area(tmp_path / "root") as staging:
            run_here(
                lambda pipeline: pipeline | beam.Create([str(found)]) | beam.Map(_describe),
                Local(num_workers=2),
                staging,
            )
    said = [path.read_text().split("\n") for path in found.iterdir()]
    assert sorted(value for value, *_ in said) == ["first", "second"]
    assert {folder for _, folder, _ in said} == {str(tmp_path)}
    assert str(os.getpid()) not in {path.stem for path in found.iterdir()}


@pytest.fixture
def run_beside_other_sources(tmp_path):
    """Runs a pipeline in a folder with a package that is called as one of ours; what it printed."""
    package = tmp_path / "project" / "sources"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('not the sources of groupstream')")
    script = tmp_path / "script.py"
    script.write_text(PRINT)

    def run(*path: str) -> tuple[str, str]:
        command = [sys.executable, str(script), str(tmp_path / "root"), *path]
        done = subprocess.run(
            command, cwd=package.parent, capture_output=True, text=True, timeout=60, start_new_session=True, check=False
        )
        return done.stdout, done.stderr

    return run


def test_workers_do_not_import_what_lies_in_the_folder_of_the_build(run_beside_other_sources):
    assert run_beside_other_sources() == ("done\n", "")


def test_workers_that_cannot_start_end_the_build_with_the_reason(run_beside_other_sources, tmp_path):
    _, errors = run_beside_other_sources(str(tmp_path / "project"))
    assert errors.splitlines()[-1] == (
        "groupstream.errors.WorkerError: no worker process starts: ImportError: not the sources of groupstream"
    )


def test_workers_end_with_the_build_that_was_killed(tmp_path):
    build = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    log = Path(build.stdout.readline().strip()) / "workers.log"
    while not (log.exists() and log.read_text().strip()):  # until a worker is at work
        assert build.poll() is None
        time.sleep(0.05)
    workers = psutil.Process(build.pid).children(recursive=True)
    assert len(workers) >= 3
    build.send_signal(signal.SIGKILL)
    build.communicate()
    _, alive = psutil.wait_procs(workers, timeout=60)
    assert not alive


def test_a_worker_that_takes_long_to_start_may_ask_whether_we_are_there(tmp_path, monkeypatch):
    """Beam asks every 20 s, here every second. Unless told otherwise a server cuts that off after the fourth time."""
    monkeypatch.setattr(worker_processes, "_start", lambda order: time.sleep(8) or "")
    asking = [("grpc.keepalive_time_ms", 1000), ("grpc.http2.max_pings_without_data", 0)]
    with (
        worker_processes.worker_environment(tmp_path / "log") as environment,
        grpc.insecure_channel(environment.url, asking) as channel,
    ):
        pool = beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolStub(channel)
        assert pool.StartWorker(beam_fn_api_pb2.StartWorkerRequest(worker_id="slow")).error == ""
