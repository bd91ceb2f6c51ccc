"""The same spec on all runners that can be had without a cluster: the bytes are the same."""

from __future__ import annotations

import dataclasses
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import grpc
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to

from groupstream import SourceError, WorkerError
from pipelines.partition import partition
from pipelines.plan import Plan, make_plan
from pipelines.results import read_merged_shards, read_outcome
from pipelines.runners import run_beam
from pipelines.runners.dataflow import job_name
from pipelines.runners.interrupts import sigterm_unwinds
from pipelines.runners.pieces import ListedPieces, list_pieces
from pipelines.staging import StagingArea, staging_area
from pipelines.transforms import PartitionExamples
from sources import Piece
from specs import Flink, Local, Spec

# Beam's threads, where a job was given up or its server ends first
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


def plan_for(folder: Path, runner: dict[str, Any]) -> Plan:
    fields = {
        "name": "test",
        "source": {"kind": "jsonl", "paths": [f"{folder}/*.jsonl"]},
        "partitioner": {"kind": "feature", "feature": "key"},
        "splits": {"by": "group", "fractions": {"train": 0.7, "test": 0.3}},
        "publish": {"shard_bytes": 8_000},
        "runner": runner,
    }
    return make_plan(Spec.model_validate(fields, extra="forbid"))


def contents(staging: StagingArea) -> dict[str, bytes]:
    """The shards that a pipeline left, and their group tables."""
    _, num_shards = read_outcome(staging)
    shards = [shard for split, number in num_shards.items() for shard in read_merged_shards(staging, split, number)]
    return {path: staging.read(path) for shard in shards for path in (shard.path, shard.group_table_path)}


def build(plan: Plan, root: Path) -> dict[str, bytes]:
    with staging_area(root) as staging:
        partition(plan, staging)
        return contents(staging)


@pytest.fixture
def expected(jsonl_source: Path, tmp_path: Path) -> dict[str, bytes]:
    """What one process of this machine makes."""
    made = build(plan_for(jsonl_source, {}), tmp_path)
    assert len(made) > 8
    return made


@pytest.fixture(scope="module")
def job_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Beam's own job server, a process that speaks the protocol of those of Flink and Spark; its address."""
    server, address = _start_job_server(tmp_path_factory.mktemp("server"))
    try:
        yield address
    finally:
        for thread in threading.enumerate():
            if thread.name.startswith("run_worker"):  # of a job that was cancelled: the server lets its bundle end
                thread.join(20)
        server.terminate()
        server.wait()


def _start_job_server(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    port_file = folder / "port"
    command = [sys.executable, "-m", "apache_beam.runners.portability.local_job_service_main"]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen([*command, "--port_file", str(port_file)], stdout=log, stderr=log)
    while not port_file.exists():
        assert server.poll() is None, (folder / "server.log").read_text()
        time.sleep(0.05)
    return server, f"localhost:{port_file.read_text()}"


@pytest.mark.integration
def test_two_processes_make_the_same_bytes(jsonl_source, expected, tmp_path):
    assert build(plan_for(jsonl_source, {"num_workers": 2}), tmp_path) == expected


@pytest.mark.integration
@pytest.mark.parametrize("kind", ["flink", "spark"])
def test_a_job_server_makes_the_same_bytes(jsonl_source, expected, job_server, tmp_path, kind):
    runner = {"kind": kind, "job_endpoint": job_server, "environment_type": "LOOPBACK"}
    assert build(plan_for(jsonl_source, runner), tmp_path) == expected


def test_bundles_that_are_done_again_make_the_same_bytes(jsonl_source, expected, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.CRITICAL, "apache_beam")  # it logs each bundle that fails
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    from retried import PASSED, RetriedSource, RetriedStaging

    PASSED.clear()
    plan = plan_for(jsonl_source, {})
    source = RetriedSource(inner=plan.spec.source)
    plan = dataclasses.replace(plan, spec=plan.spec.model_copy(update={"source": source}))
    with staging_area(tmp_path) as area:
        lists = list_pieces(plan.pieces, area, "pieces/test")
        staging = RetriedStaging(area.store, area.scratch)
        with beam.Pipeline(runner=BundleBasedDirectRunner(), options=PipelineOptions([])) as pipeline:
            _ = pipeline | ListedPieces(lists, staging) | PartitionExamples(plan, staging)
        assert contents(area) == expected
    assert PASSED.keys() >= {*(f"piece {piece.index}" for piece in plan.pieces), "runs", "outcome.json", "shards"}
    assert min(PASSED.values()) > 1


@pytest.mark.integration
def test_what_a_worker_of_a_cluster_raised_arrives_as_it_was(jsonl_source, job_server, tmp_path):
    plan = plan_for(jsonl_source, {"kind": "flink", "job_endpoint": job_server, "environment_type": "LOOPBACK"})
    (jsonl_source / "part-1.jsonl").write_text('{"key": "a", "text": "b", "file": 1, "row": 1}\n{"key": oops}\n')
    with pytest.raises(SourceError, match=r"part-1.jsonl"):
        build(plan, tmp_path)
    assert not list((tmp_path / ".staging").iterdir())


def test_a_job_server_that_is_not_there_is_named_at_once(jsonl_source, tmp_path):
    plan = plan_for(jsonl_source, {"kind": "spark", "job_endpoint": "localhost:1", "environment_type": "LOOPBACK"})
    with pytest.raises(WorkerError, match=r"no job server answers at runner.job_endpoint localhost:1: .*Start one"):
        build(plan, tmp_path)


def _fail(element: int) -> None:
    raise RuntimeError(f"element {element}")


def _wait(started: str, element: int) -> None:
    Path(started).touch()
    time.sleep(10)  # longer than anything takes to strike, on a busy machine too


@pytest.mark.integration
def test_what_else_fails_on_a_cluster_is_one_line(job_server, tmp_path):
    runner = Flink(job_endpoint=job_server, environment_type="LOOPBACK")
    with staging_area(tmp_path) as staging, pytest.raises(WorkerError) as caught:
        run_beam(lambda pipeline: pipeline | beam.Create([7]) | beam.Map(_fail), runner, staging, "failing")
    assert re.fullmatch(
        r"the job on flink failed: RuntimeError: element 7 \[while running .*\]\. Nothing is published; see the logs.*",
        str(caught.value),
    )


@pytest.fixture
def takes_interrupts() -> Iterator[None]:
    """A shell in the background has its commands ignore them."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, handler)


@pytest.mark.integration
def test_an_interrupted_build_cancels_the_job_of_a_cluster(job_server, tmp_path, caplog, takes_interrupts):
    from functools import partial

    started = tmp_path / "started"

    def interrupt() -> None:
        while not started.exists():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    runner = Flink(job_endpoint=job_server, environment_type="LOOPBACK")
    threading.Thread(target=interrupt, daemon=True).start()
    wait = partial(_wait, str(started))
    with staging_area(tmp_path) as staging, pytest.raises(KeyboardInterrupt):
        run_beam(lambda pipeline: pipeline | beam.Create([1]) | beam.Map(wait), runner, staging, "waiting")
    assert "cancelled the job" in caplog.text
    with grpc.insecure_channel(job_server) as channel:
        jobs = beam_job_api_pb2_grpc.JobServiceStub(channel).GetJobs(beam_job_api_pb2.GetJobsRequest())
    assert beam_job_api_pb2.JobState.CANCELLED in [job.state for job in jobs.job_info]


@pytest.mark.integration
def test_a_job_whose_server_is_lost_is_said_to_go_on(tmp_path, caplog):
    from functools import partial

    started = tmp_path / "started"
    server, address = _start_job_server(tmp_path)

    def lose() -> None:
        while not started.exists():
            time.sleep(0.02)
        server.kill()

    threading.Thread(target=lose, daemon=True).start()
    runner, wait = Flink(job_endpoint=address, environment_type="LOOPBACK"), partial(_wait, str(started))
    with staging_area(tmp_path) as staging, pytest.raises(WorkerError, match="the job on flink failed"):
        run_beam(lambda pipeline: pipeline | beam.Create([1]) | beam.Map(wait), runner, staging, "waiting")
    assert server.wait() and "the job could not be cancelled and goes on" in caplog.text


def test_any_pipeline_runs_on_this_machine_and_its_options_are_not_those_of_the_command(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["groupstream", "--runner=NoSuchRunner", "--streaming", "--direct_num_workers=7"])
    with staging_area(tmp_path) as staging:
        seen = _run_and_see(lambda build: run_beam(build, Local(), staging, "any"))
    assert seen == ["in_memory", 1, False]


def _run_and_see(run: Callable[..., None]) -> list[Any]:
    seen: list[Any] = []

    def build(pipeline: beam.Pipeline) -> None:
        options = pipeline.options.get_all_options()
        seen.extend(options[name] for name in ("direct_running_mode", "direct_num_workers", "streaming"))
        assert_that(pipeline | beam.Create([1, 2]), equal_to([2, 1]))

    run(build)
    return seen


@pytest.mark.parametrize("name", ["a_b-count", "x" * 200, "Grüße"])
def test_names_of_jobs_are_unique_and_of_the_characters_that_dataflow_takes(name):
    first, second = job_name(name), job_name(name)
    assert first != second
    assert re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", first)


def test_lists_give_all_pieces(tmp_path):
    pieces = [Piece(i, str(i)) for i in range(2_345)]
    with staging_area(tmp_path) as staging:
        lists = list_pieces(pieces, staging, "pieces/test")
        assert len(lists) == 3
        with beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([])) as pipeline:
            assert_that(pipeline | ListedPieces(lists, staging), equal_to(pieces))


def test_sigterm_unwinds_inside_only_and_other_handlers_stay():
    code = """
import os, signal, sys
from pipelines.runners.interrupts import sigterm_unwinds
try:
    with sigterm_unwinds():
        os.kill(os.getpid(), signal.SIGTERM)
except SystemExit as exit:
    print("unwound", exit.code, flush=True)
os.kill(os.getpid(), signal.SIGTERM)
print("not reached")
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (run.stdout, run.returncode) == ("unwound 143\n", -signal.SIGTERM)
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with sigterm_unwinds():
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)
