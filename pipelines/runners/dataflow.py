"""Running a pipeline on Google Cloud Dataflow."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions

from groupstream import SpecError, WorkerError
from pipelines.progress import Progress, write_progress
from pipelines.runners.dataflow_jobs import DataflowJobs, is_of_google
from pipelines.runners.dataflow_watch import cancel_job, refuse_failure, watch_job
from pipelines.runners.errors import last_line
from pipelines.runners.interrupts import sigterm_unwinds
from pipelines.runners.options import pipeline_options
from pipelines.staging import StagingArea
from specs import Dataflow

_MAX_NAME = 63 - 9  # characters of a job's name, less those that tell builds apart


def run_on_dataflow(build: Callable[[beam.Pipeline], None], runner: Dataflow, staging: StagingArea, name: str) -> None:
    """Submits a job and waits for its end. The job is cancelled where the build ends before it.

    Raises:
        GroupstreamError: what a worker raised.
        SpecError: the runner asks for what cannot be.
        WorkerError: the job failed, was cancelled by others, or could not be submitted or watched.
    """
    options = dataflow_options(runner, staging, job_name(name))
    jobs, job_id = DataflowJobs(options), None
    with sigterm_unwinds():
        try:
            job_id = _submit(build, options)
            outcome = watch_job(jobs, job_id, runner.poll_seconds, partial(_keep_progress, staging, job_id))
        except SpecError:
            raise
        except BaseException:
            cancel_job(jobs, str(options.view_as(GoogleCloudOptions).job_name), job_id)
            raise
    refuse_failure(jobs, outcome)


def _keep_progress(staging: StagingArea, job_id: str, counts: Mapping[str, int]) -> None:
    names = [field.name for field in fields(Progress)]
    staging.job_progress.mkdir(exist_ok=True)
    write_progress(staging.job_progress / f"{job_id}.json", Progress(*(counts.get(name, 0) for name in names)))


def job_name(name: str) -> str:
    """The name of a job: unique, and of the characters that Dataflow takes."""
    plain = re.sub(r"[^a-z0-9]+", "-", f"groupstream-{name.lower()}")[:_MAX_NAME].strip("-")
    return f"{plain}-{uuid.uuid4().hex[:8]}"


def dataflow_options(runner: Dataflow, staging: StagingArea, name: str) -> PipelineOptions:
    """The options of a job.

    One thread a worker process: each sorts up to `memory_bytes` of examples, which further threads would multiply.

    Raises:
        SpecError: the runner asks for what cannot be.
    """
    chosen: dict[str, Any] = {
        "project": runner.project,
        "region": runner.region,
        "job_name": name,
        "temp_location": runner.temp_location or _temp_location(staging),
        "num_workers": runner.num_workers,
        "max_num_workers": runner.max_num_workers,
        "machine_type": runner.machine_type,
        "disk_size_gb": runner.disk_size_gb,
        "service_account_email": runner.service_account,
        "network": runner.network,
        "subnetwork": runner.subnetwork,
        "use_public_ips": runner.use_public_ips,
        "labels": [f"{key}={value}" for key, value in runner.labels.items()] or None,
        "sdk_container_image": runner.sdk_container_image,
        "sdk_location": "container",
        "number_of_worker_harness_threads": 1,
        "dataflow_job_file": runner.template_location and f"{runner.template_location.rstrip('/')}/{name}.json",
    }
    return pipeline_options(chosen, runner.options)


def _temp_location(staging: StagingArea) -> str:
    root = str(staging.store.root)
    if not root.startswith("gs://"):
        raise SpecError(
            f"runner.temp_location is missing: Dataflow keeps the files of a job at gs://, the datasets lie in {root}"
        )
    return f"{root}/dataflow"


def _submit(build: Callable[[beam.Pipeline], None], options: PipelineOptions) -> str:
    """Submits the job; its id.

    Raises:
        SpecError: Beam refuses the options.
        WorkerError: Dataflow refuses the job, or is not reached.
    """
    from apache_beam.runners.dataflow.dataflow_runner import DataflowRunner

    logging.getLogger("apache_beam").setLevel(logging.CRITICAL + 1)  # it repeats what is raised
    try:
        pipeline = beam.Pipeline(runner=DataflowRunner(), options=options)
        build(pipeline)
        result = pipeline.run()
    except ValueError as error:
        raise SpecError(f"runner: Beam refuses it: {last_line(str(error))}") from error
    except Exception as error:
        if not is_of_google(error):
            raise
        where = options.view_as(GoogleCloudOptions)
        raise WorkerError(
            f"the job was not submitted to Dataflow in project {where.project}, region {where.region}: "
            f"{last_line(str(error))}. Nothing runs; mend that and build again"
        ) from error
    return str(result.job_id())
