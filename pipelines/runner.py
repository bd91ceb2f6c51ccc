"""Running a pipeline on this machine."""

from __future__ import annotations

import logging
import re
import shlex
import sys

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.environments import SubprocessSDKEnvironment

from groupstream import GroupstreamError, WorkerError, errors
from pipelines.plan import Plan
from pipelines.staging import StagingArea

_ERROR = re.compile(r"groupstream\.errors\.(\w+): (.+?)(?: \[while running '[^']*'\])?$", re.MULTILINE)


def run_pipeline(plan: Plan, staging: StagingArea, transform: beam.PTransform) -> None:
    """Applies a transform to the pieces of the source, and runs that to its end.

    The runner is named, since Beam's default one first tries to download another. Several workers are processes, as
    in Beam's multi_processing mode; its multi_threading mode loses data in GroupByKey without an error.

    Raises:
        GroupstreamError: what a worker raised.
        WorkerError: a worker process ended on its own.
    """
    logging.getLogger("apache_beam").setLevel(logging.ERROR)
    num_workers = plan.spec.runner.num_workers
    environment = _worker_processes(staging) if num_workers > 1 else None
    options = PipelineOptions(direct_num_workers=num_workers, direct_running_mode="in_memory")
    try:
        with beam.Pipeline(runner=FnApiRunner(default_environment=environment), options=options) as pipeline:
            _ = pipeline | "Pieces" >> beam.Create(plan.pieces) | transform
    except Exception as error:
        if ours := _error_of_ours(error):
            raise ours from error
        if "Channel closed prematurely" in str(error):
            raise WorkerError(
                f"one of {num_workers} worker processes ended before its work was done, maybe killed for its memory. "
                "Build again, with a smaller runner.memory_bytes or fewer runner.num_workers if it stays"
            ) from error
        raise


def _error_of_ours(error: Exception) -> GroupstreamError | None:
    """The error that a worker raised, out of the text that Beam makes of it."""
    found = _ERROR.findall(f"{type(error).__module__}.{type(error).__name__}: {error}")
    if not found:
        return None
    kind, message = found[-1]  # the last line of a traceback is the error itself
    return getattr(errors, kind)(message)


def _worker_processes(staging: StagingArea) -> SubprocessSDKEnvironment:
    """Beam's worker process; what it logs goes to a file of the staging area instead of the terminal."""
    command = f"exec {shlex.quote(sys.executable)} -m apache_beam.runners.worker.sdk_worker_main"
    log = shlex.quote(str(staging.scratch / "workers.log"))
    return SubprocessSDKEnvironment.from_command_string(f"{command} 2>>{log}")
