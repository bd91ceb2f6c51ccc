"""Running a pipeline on this machine."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.environments import Environment

from groupstream import WorkerError
from pipelines.runners.errors import error_of_ours, interruption_in, text_of
from pipelines.runners.worker_log import quiet_beam
from pipelines.runners.worker_processes import worker_environment
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
    quiet_beam()
    options = PipelineOptions([], direct_num_workers=runner.num_workers, direct_running_mode="in_memory")
    try:
        with (
            _environment(runner, staging) as environment,
            beam.Pipeline(runner=FnApiRunner(default_environment=environment), options=options) as pipeline,
        ):
            build(pipeline)
    except Exception as error:
        if (interruption := interruption_in(error)) is not None:
            raise interruption from error
        if ours := error_of_ours(text_of(error)):
            raise ours from error
        if "Channel closed prematurely" in str(error):
            raise WorkerError(
                f"one of {runner.num_workers} worker processes ended before its work was done, maybe killed for its "
                "memory. Build again, with a smaller runner.memory_bytes or fewer runner.num_workers if it stays"
            ) from error
        raise


def _environment(runner: Local, staging: StagingArea) -> AbstractContextManager[Environment | None]:
    """Processes for several workers, of which one log goes to the staging area; None for this process."""
    return nullcontext() if runner.num_workers == 1 else worker_environment(staging.scratch / "workers.log")
