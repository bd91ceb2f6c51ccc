"""Running a pipeline on this machine."""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Callable

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.environments import SubprocessSDKEnvironment

from groupstream import WorkerError
from pipelines.runners.errors import error_of_ours, text_of
from pipelines.staging import StagingArea
from specs import Local


def run_here(build: Callable[[beam.Pipeline], None], runner: Local, staging: StagingArea) -> None:
    """Runs a pipeline in this process, or in several processes of this machine.

    Beam's runner is named, since its default one first tries to download another. Several workers are processes, as
    in its multi_processing mode; its multi_threading mode loses data in GroupByKey without an error.

    Raises:
        GroupstreamError: what a worker raised.
        WorkerError: a worker process ended on its own.
    """
    logging.getLogger("apache_beam").setLevel(logging.ERROR)
    environment = _worker_processes(staging) if runner.num_workers > 1 else None
    options = PipelineOptions([], direct_num_workers=runner.num_workers, direct_running_mode="in_memory")
    try:
        with beam.Pipeline(runner=FnApiRunner(default_environment=environment), options=options) as pipeline:
            build(pipeline)
    except Exception as error:
        if ours := error_of_ours(text_of(error)):
            raise ours from error
        if "Channel closed prematurely" in str(error):
            raise WorkerError(
                f"one of {runner.num_workers} worker processes ended before its work was done, maybe killed for its "
                "memory. Build again, with a smaller runner.memory_bytes or fewer runner.num_workers if it stays"
            ) from error
        raise


def _worker_processes(staging: StagingArea) -> SubprocessSDKEnvironment:
    """Beam's worker process; what it logs goes to a file of the staging area instead of the terminal."""
    command = f"exec {shlex.quote(sys.executable)} -m apache_beam.runners.worker.sdk_worker_main"
    log = shlex.quote(str(staging.scratch / "workers.log"))
    return SubprocessSDKEnvironment.from_command_string(f"{command} 2>>{log}")
