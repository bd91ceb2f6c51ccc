"""Running a pipeline on this machine."""

from __future__ import annotations

import logging
import shlex
import sys

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.environments import SubprocessSDKEnvironment

from pipelines.plan import Plan
from pipelines.staging import StagingArea
from pipelines.transforms import PartitionExamples


def run_pipeline(plan: Plan, staging: StagingArea) -> None:
    """Runs the pipeline to its end.

    The runner is named, since Beam's default one first tries to download another. Several workers are processes, as
    in Beam's multi_processing mode; its multi_threading mode loses data in GroupByKey without an error.

    Raises:
        GroupstreamError: what a worker raised.
    """
    logging.getLogger("apache_beam").setLevel(logging.ERROR)
    num_workers = plan.spec.runner.num_workers
    environment = _worker_processes(staging) if num_workers > 1 else None
    options = PipelineOptions(direct_num_workers=num_workers, direct_running_mode="in_memory")
    try:
        with beam.Pipeline(runner=FnApiRunner(default_environment=environment), options=options) as pipeline:
            _ = pipeline | "Pieces" >> beam.Create(plan.pieces) | PartitionExamples(plan, staging)
    except Exception as error:
        if recorded := staging.recorded_error():
            raise recorded from error
        raise


def _worker_processes(staging: StagingArea) -> SubprocessSDKEnvironment:
    """Beam's worker process; what it logs goes to a file of the staging area instead of the terminal."""
    command = f"exec {shlex.quote(sys.executable)} -m apache_beam.runners.worker.sdk_worker_main"
    log = shlex.quote(str(staging.folder / "workers.log"))
    return SubprocessSDKEnvironment.from_command_string(f"{command} 2>>{log}")
