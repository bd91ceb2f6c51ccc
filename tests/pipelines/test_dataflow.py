"""Builds on Dataflow: a fake that takes the real job over HTTP, and runs it."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from apache_beam.internal.gcp import auth
from apache_beam.options.pipeline_options import PipelineOptions

from groupstream import ExampleError, SourceError, SpecError, WorkerError
from groupstream.testing import GcsServer, Reply
from pipelines.partition import Partitioned, partition
from pipelines.plan import Plan, make_plan
from pipelines.progress import Progress, read_progress
from pipelines.runners import run_pipeline
from pipelines.runners.dataflow import dataflow_options
from pipelines.runners.dataflow_jobs import DataflowJobs
from pipelines.runners.dataflow_watch import watch_job
from pipelines.staging import StagingArea, staging_area
from pipelines.testing import DataflowServer
from pipelines.transforms import PartitionExamples
from sources import Piece
from specs import Spec

IMAGE = "europe-docker.pkg.dev/p/groupstream/beam:1"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[GcsServer]:
    """A bucket with a source of 300 examples in 17 groups."""
    monkeypatch.setattr(auth._Credentials, "_credentials_init", True)  # else Beam looks for credentials for 24 s
    with GcsServer("bucket") as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        for file in range(3):
            lines = [orjson.dumps({"key": f"k{row % 17}", "text": f"secret {row} " * row}) for row in range(100)]
            server.buckets.put("bucket", f"source/{file}.jsonl", b"\n".join(lines) + b"\n")
        yield server


@pytest.fixture
def dataflow(bucket: GcsServer) -> Iterator[DataflowServer]:
    with DataflowServer(bucket) as server:
        yield server


def runner_at(server: DataflowServer, **changes: Any) -> dict[str, Any]:
    return {
        "kind": "dataflow",
        "project": "p",
        "region": "europe-west4",
        "sdk_container_image": IMAGE,
        "poll_seconds": 0.05,
        "options": {"dataflow_endpoint": server.endpoint, "no_auth": True},
        **changes,
    }


def plan_for(runner: dict[str, Any], **changes: Any) -> Plan:
    fields = {
        "name": "a_dataset",
        "source": {"kind": "jsonl", "paths": ["gs://bucket/source/*.jsonl"]},
        "partitioner": {"kind": "feature", "feature": "key"},
        "publish": {"shard_bytes": 8_000},
        "runner": runner,
    }
    return make_plan(Spec.model_validate({**fields, **changes}, extra="forbid"))


def contents(staging: StagingArea, result: Partitioned) -> list[bytes]:
    split = result.splits["train"]
    return [*(staging.read(shard.path) for shard in split.shards), split.group_table.read_bytes()]


def build(plan: Plan, root: str | Path = "gs://bucket/datasets") -> list[bytes]:
    with staging_area(root) as staging:
        return contents(staging, partition(plan, staging))


def stored(bucket: GcsServer, prefix: str) -> list[str]:
    return [each.name for each in bucket.buckets.list("bucket", prefix, "", "", 1000).objects]


def test_a_job_makes_the_same_bytes_as_this_machine(bucket, dataflow, tmp_path):
    on_dataflow = build(plan_for(runner_at(dataflow)))
    assert on_dataflow == build(plan_for({}), tmp_path)
    assert len(on_dataflow) > 4
    assert dataflow.job.look() == "DONE"
    assert stored(bucket, "datasets") == []  # the staging area is gone


def test_a_partitioner_that_counts_first_makes_two_jobs(dataflow, tmp_path):
    counting = {"kind": "fixed_sizes", "num_groups": 10}
    on_dataflow = build(plan_for(runner_at(dataflow), partitioner=counting))
    assert on_dataflow == build(plan_for({}, partitioner=counting), tmp_path)
    names = [job.description.name.rsplit("-", 1)[0] for job in dataflow.jobs.values()]
    assert names == ["groupstream-a-dataset-count-examples", "groupstream-a-dataset-partition-examples"]


def test_what_the_workers_count_is_the_progress_of_the_build(dataflow):
    with staging_area("gs://bucket/datasets") as staging:
        result = partition(plan_for(runner_at(dataflow)), staging)
        progress = read_progress(staging.job_progress)
    shards = result.splits["train"].shards
    expected = Progress(3, 300, progress.read_bytes, len(shards), len(shards), sum(s.size_bytes for s in shards))
    assert progress == expected and progress.read_bytes > 0


def test_the_job_that_is_submitted_is_the_one_of_the_spec(dataflow):
    settings = {
        "num_workers": 2,
        "max_num_workers": 30,
        "machine_type": "n2-standard-4",
        "disk_size_gb": 60,
        "service_account": "builds@p.iam.gserviceaccount.com",
        "network": "net",
        "subnetwork": "regions/europe-west4/subnetworks/data",
        "use_public_ips": False,
        "labels": {"team": "data"},
    }
    more = {"dataflow_endpoint": dataflow.endpoint, "no_auth": True, "experiments": ["one"], "disk_type": "pd-ssd"}
    build(plan_for(runner_at(dataflow, **settings, options=more)))
    job = dataflow.job.description
    (pool,) = job.environment.worker_pools
    assert (pool.num_workers, pool.autoscaling_settings.max_num_workers, pool.disk_size_gb) == (2, 30, 60)
    assert (pool.machine_type, pool.network, pool.disk_type) == ("n2-standard-4", "net", "pd-ssd")
    assert pool.subnetwork == settings["subnetwork"]
    assert pool.ip_configuration.name == "WORKER_IP_PRIVATE"
    assert pool.num_threads_per_worker == 1
    (image,) = pool.sdk_harness_container_images
    assert (image.container_image, image.use_single_core_per_container) == (IMAGE, True)
    assert job.environment.service_account_email == settings["service_account"]
    assert dict(job.labels) == {"team": "data"}
    assert {"one", "use_runner_v2"} <= set(job.environment.experiments)
    options = dataflow.job.options
    assert options["sdk_location"] == "container" and options["number_of_worker_harness_threads"] == 1
    assert options["temp_location"].startswith("gs://bucket/datasets/.staging/build-")


def test_the_graph_has_the_steps_by_name_and_no_example(dataflow):
    build(plan_for(runner_at(dataflow)))
    pipeline = dataflow.job.pipeline
    names = {transform.unique_name for transform in pipeline.components.transforms.values()}
    steps = ("Read pieces", "Check examples", "Assign groups", "Spill runs", "Count and choose shards", "Merge runs")
    assert {f"PartitionExamples/{step}" for step in steps} | {"Pieces/Read lists"} <= names
    content = pipeline.SerializeToString()
    assert b"secret" not in content
    assert len(content) < 100_000


def test_the_graph_does_not_grow_with_the_number_of_pieces(bucket):
    sizes = []
    for num_pieces in (1, 100_000):
        pieces = [Piece(i, f"file {i}", f"gs://bucket/source/{i:08d}.jsonl") for i in range(num_pieces)]
        with DataflowServer(bucket, script=["DONE"]) as server, staging_area("gs://bucket/datasets") as staging:
            plan = dataclasses.replace(plan_for(runner_at(server)), pieces=pieces)
            run_pipeline(plan, staging, PartitionExamples(plan, staging))
            sizes.append(len(server.job.pipeline.SerializeToString()))
            lists = [path for path in stored(bucket, "datasets") if "/pieces/" in path]
            found = [piece for path in lists for piece in pickle.loads(bucket.buckets.get("bucket", path).content)]
            assert found == pieces
    assert len(lists) == 100
    assert sizes[1] < sizes[0] + 20_000  # bytes; Dataflow takes 10 MB


@pytest.mark.integration
def test_another_process_can_unpickle_the_graph(bucket, tmp_path):
    with DataflowServer(bucket, script=["DONE"]) as server, staging_area("gs://bucket/datasets") as staging:
        plan = plan_for(runner_at(server))
        run_pipeline(plan, staging, PartitionExamples(plan, staging))
        (tmp_path / "pipeline.pb").write_bytes(server.job.pipeline.SerializeToString())
    code = """
import sys
import apache_beam as beam
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.options.pipeline_options import PipelineOptions
proto = beam_runner_api_pb2.Pipeline.FromString(open(sys.argv[1], "rb").read())
pipeline = beam.Pipeline.from_runner_api(proto, None, PipelineOptions([]))
parts = [part for whole in pipeline.transforms_stack[0].parts for part in whole.parts]
print([type(part.transform.fn).__name__ for part in parts if hasattr(part.transform, "fn")])
"""
    command = [sys.executable, "-c", code, str(tmp_path / "pipeline.pb")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "MergeRuns" in run.stdout and "SpillRuns" in run.stdout


def test_states_and_messages_go_to_the_log_once(bucket, caplog):
    said = [("BASIC", f"Worker {i} has started") for i in range(5)] + [("DEBUG", "noise"), ("WARNING", "slow")]
    script = ["PENDING", "RUNNING", "RUNNING", "RUNNING", "DONE"]
    caplog.set_level(logging.INFO, "groupstream")
    with DataflowServer(bucket, script, said) as server, staging_area("gs://bucket/datasets") as staging:
        plan = plan_for(runner_at(server))
        run_pipeline(plan, staging, PartitionExamples(plan, staging))
    lines = [record.getMessage() for record in caplog.records if record.name == "groupstream"]
    assert [line.rsplit(" ", 1)[1] for line in lines if " is " in line] == ["running", "done"]
    assert [line for line in lines if line.startswith("Dataflow: ")] == [
        *(f"Dataflow: Worker {i} has started" for i in range(5)),
        "Dataflow: slow",
    ]
    assert lines[0].endswith(
        "https://console.cloud.google.com/dataflow/jobs/europe-west4/2026-01-01_00_00_00-1?project=p"
    )


def test_a_job_that_fails_says_why_and_where(bucket):
    bad = ("ERROR", "Traceback ...\nValueError: bad thing")
    said = [("ERROR", "Startup of the worker pool failed: no quota for CPUS"), ("BASIC", "Stopping"), bad, bad]
    with DataflowServer(bucket, ["RUNNING", "FAILED"], said) as server, pytest.raises(WorkerError) as caught:
        build(plan_for(runner_at(server)))
    assert str(caught.value) == (
        "the job failed: Startup of the worker pool failed: no quota for CPUS; ValueError: bad thing. Nothing is "
        "published. Dataflow job 2026-01-01_00_00_00-1: https://console.cloud.google.com/dataflow/jobs/europe-west4/"
        "2026-01-01_00_00_00-1?project=p"
    )
    assert stored(bucket, "datasets") == []


def test_what_a_worker_raised_arrives_and_the_next_build_is_whole(bucket, dataflow, tmp_path):
    good = bucket.buckets.get("bucket", "source/1.jsonl").content
    plan = plan_for(runner_at(dataflow))
    lines = good.splitlines()
    bucket.buckets.put("bucket", "source/1.jsonl", b"\n".join([*lines[:50], b'{"key": oops}', *lines[51:]]))
    with pytest.raises(SourceError, match=r"source/1.jsonl, line 51: .*\(Dataflow job 2026.*https://console"):
        build(plan_for(runner_at(dataflow)))
    assert stored(bucket, "datasets") == []
    bucket.buckets.put("bucket", "source/1.jsonl", good)
    assert build(plan) == build(plan_for({}), tmp_path)


def test_an_error_of_ours_keeps_its_kind(bucket):
    said = [
        (
            "ERROR",
            "Error message from worker: Traceback\ngroupstream.errors.ExampleError: row 7 is odd [while running 'x']\n",
        )
    ]
    match = r"^row 7 is odd \(Dataflow job"
    with DataflowServer(bucket, ["FAILED"], said) as server, pytest.raises(ExampleError, match=match):
        build(plan_for(runner_at(server)))


def test_a_job_that_others_cancel_publishes_nothing(bucket):
    with (
        DataflowServer(bucket, ["RUNNING", "CANCELLING", "CANCELLED"]) as server,
        pytest.raises(
            WorkerError, match=r"the job was cancelled, not by this build. Nothing is published; build again"
        ),
    ):
        build(plan_for(runner_at(server)))


def jobs_of(server: DataflowServer) -> DataflowJobs:
    flags = [f"--dataflow_endpoint={server.endpoint}", "--no_auth", "--project=p", "--region=europe-west4"]
    return DataflowJobs(PipelineOptions(flags))


@pytest.fixture
def submitted(bucket: GcsServer) -> Iterator[tuple[DataflowServer, DataflowJobs, str]]:
    """A job that runs; the test says how it goes on."""
    with DataflowServer(bucket, ["DONE"]) as server:
        with staging_area("gs://bucket/datasets") as staging:
            plan = plan_for(runner_at(server))
            run_pipeline(plan, staging, PartitionExamples(plan, staging))
        server.job.states = ["RUNNING", "RUNNING", "RUNNING", "DONE"]
        yield server, jobs_of(server), server.job.id


def test_counts_are_those_of_ours_each_once_over_all_steps(submitted):
    server, jobs, job_id = submitted
    ours = {("groupstream", "pieces", "a"): 2, ("groupstream", "pieces", "b"): 3}
    server.job.counts = {**ours, ("other", "pieces", "a"): 7}
    assert jobs.counts(job_id) == {"pieces": 5}


def test_a_failure_without_a_reason_is_waited_for_a_little(submitted):
    server, jobs, job_id = submitted
    server.job.states = ["FAILED"]
    assert watch_job(jobs, job_id, 0.05, reason_seconds=0.2).errors == ()
    threading.Timer(0.3, server.job.messages.append, [("ERROR", "at last")]).start()
    assert watch_job(jobs, job_id, 0.05, reason_seconds=30).errors == ("at last",)


@pytest.mark.parametrize("fault", ["503", "429", "lost connections", "answers cut short"])
def test_requests_that_fail_for_a_while_are_made_again(submitted, fault, caplog):
    server, jobs, job_id = submitted
    if fault.isdigit():
        server.faults.refuse(times=3, status=int(fault), method="GET")
    elif fault == "lost connections":
        server.faults.lose(times=3, method="GET")
    else:
        server.faults.cut(times=3, method="GET")
    assert watch_job(jobs, job_id, 0.05).state == "DONE"
    assert len(server.faults) == 0
    assert sum("did not answer, asking again" in record.getMessage() for record in caplog.records) == 3


def test_a_job_of_which_nothing_is_heard_for_too_long_is_given_up(submitted):
    server, jobs, job_id = submitted
    server.faults.refuse(times=1000, method="GET")
    with pytest.raises(WorkerError, match=r"lost sight of Dataflow job 2026.* for \d s: .*See whether it goes on at"):
        watch_job(jobs, job_id, 0.05, patience_seconds=0.3)


def test_a_request_that_is_not_allowed_is_not_made_again(submitted):
    server, jobs, job_id = submitted
    server.faults.refuse(status=403, method="GET", body=b'{"error": {"message": "no permission"}}')
    with pytest.raises(WorkerError, match=r"lost sight of Dataflow job .*no permission"):
        watch_job(jobs, job_id, 0.05)


@pytest.mark.integration  # Beam waits for some seconds before it submits again
def test_a_job_whose_answer_was_lost_is_submitted_once(bucket, dataflow, tmp_path):
    dataflow.faults.lose(method="POST")
    assert build(plan_for(runner_at(dataflow))) == build(plan_for({}), tmp_path)
    assert len(dataflow.jobs) == 1


def test_a_job_that_is_refused_runs_nothing(bucket, dataflow):
    dataflow.faults.refuse(status=403, method="POST", body=b'{"error": {"message": "no permission for p"}}')
    with pytest.raises(WorkerError, match=r"not submitted to Dataflow in project p, region europe-west4: .*permission"):
        build(plan_for(runner_at(dataflow)))
    assert (dataflow.jobs, stored(bucket, "datasets")) == ({}, [])


class Interrupting(DataflowServer):
    """Interrupts the build, as Ctrl-C does, when it gets a request."""

    method = "GET"

    def reply(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        reply = super().reply(method, path, headers, body)
        if method == self.method and not self.interrupted.is_set():
            self.interrupted.set()
            os.kill(os.getpid(), signal.SIGINT)
        return reply

    interrupted = threading.Event()


@pytest.mark.parametrize("method", ["GET", "POST"], ids=["while it runs", "while it is submitted"])
def test_an_interrupted_build_cancels_its_job_and_says_so(bucket, caplog, method):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background has its commands ignore it
    with Interrupting(bucket, ["RUNNING"]) as server:
        server.method, server.interrupted = method, threading.Event()
        with pytest.raises(KeyboardInterrupt):
            build(plan_for(runner_at(server)))
        assert server.job.is_cancelled
    assert f"cancelled Dataflow job {server.job.id}; its workers end within minutes" in caplog.text
    assert stored(bucket, "datasets") == []


def test_a_job_that_cannot_be_cancelled_is_named(bucket, caplog):
    with Interrupting(bucket, ["RUNNING"]) as server:
        server.interrupted = threading.Event()
        server.faults.refuse(times=3, method="PUT")
        with pytest.raises(KeyboardInterrupt):
            build(plan_for(runner_at(server)))
        assert not server.job.is_cancelled
    assert "may go on, it could not be cancelled" in caplog.text and "Cancel it at https://console" in caplog.text


def test_the_description_of_a_job_is_kept_where_the_spec_says(dataflow, tmp_path):
    build(plan_for(runner_at(dataflow, template_location=str(tmp_path))))
    (file,) = tmp_path.iterdir()
    job = dataflow.job.description
    assert file.name == f"{job.name}.json"
    described = json.loads(file.read_text())
    assert described["name"] == job.name
    assert described["environment"]["workerPools"][0]["workerHarnessContainerImage"] == IMAGE
    assert (
        described["environment"]["sdkPipelineOptions"]["options"]["pipelineUrl"] == dataflow.job.options["pipelineUrl"]
    )


def test_files_of_this_machine_are_refused(dataflow, jsonl_source):
    source = {"kind": "jsonl", "paths": [f"{jsonl_source}/*.jsonl"]}
    with pytest.raises(SpecError, match=r"source: .*part-0.jsonl is a file of this machine, which the workers of"):
        build(plan_for(runner_at(dataflow), source=source))
    mapping = jsonl_source / "groups.csv"
    mapping.write_text("group_id,example_id\ng,k0\n")
    partitioner = {"kind": "mapping", "feature": "key", "file": str(mapping)}
    with pytest.raises(SpecError, match=r"partitioner.file: .*groups.csv is a file of this machine, which the workers"):
        build(plan_for(runner_at(dataflow), partitioner=partitioner))
    assert dataflow.jobs == {}


def test_a_place_for_the_files_of_the_job_is_needed(dataflow, tmp_path):
    with pytest.raises(SpecError, match=r"runner.temp_location is missing: Dataflow keeps .* the datasets lie in /"):
        build(plan_for(runner_at(dataflow)), tmp_path)
    runner = plan_for(runner_at(dataflow, temp_location="gs://bucket/temp")).spec.runner
    with staging_area(tmp_path) as staging:
        assert dataflow_options(runner, staging, "name").get_all_options()["temp_location"] == runner.temp_location
