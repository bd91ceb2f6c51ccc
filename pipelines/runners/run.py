"""Running a pipeline where the spec says."""

from __future__ import annotations

import re
from collections.abc import Callable

import apache_beam as beam

from pipelines.plan import Plan
from pipelines.runners import worker_processes
from pipelines.runners.dataflow import run_on_dataflow
from pipelines.runners.local import run_here
from pipelines.runners.pieces import ListedPieces, list_pieces, refuse_local_files
from pipelines.runners.portable import run_on_cluster
from pipelines.staging import StagingArea
from specs import AnyRunner, Dataflow, Local

Build = Callable[[beam.Pipeline], None]


def run_pipeline(plan: Plan, staging: StagingArea, transform: beam.PTransform) -> None:
    """Applies a transform to the pieces of the source, and runs that to its end.

    Raises:
        GroupstreamError: what a worker raised.
        SpecError: `runner` of the spec asks for what cannot be, or its workers do not reach the source.
        WorkerError: a worker, or the job, ended on its own.
    """
    if plan.spec.runner.is_distributed:
        refuse_local_files(plan)
    step = _words(type(transform).__name__)
    lists = list_pieces(plan.pieces, staging, f"pieces/{step}")

    def build(pipeline: beam.Pipeline) -> None:
        _ = pipeline | "Pieces" >> ListedPieces(lists, staging) | transform

    run_beam(build, plan.spec.runner, staging, f"{plan.spec.name}-{step}")


def prepare_workers(runner: AnyRunner) -> None:
    """Begins what takes a while before the first worker can start, and returns at once."""
    if isinstance(runner, Local) and runner.num_workers > 1:
        worker_processes.warm_up()


def run_beam(build: Build, runner: AnyRunner, staging: StagingArea, name: str) -> None:
    """Runs a pipeline to its end.

    Args:
        build: adds the steps to an empty pipeline. They must be importable by the workers.
        name: of the pipeline, for people: where it is a job, the job is called so.

    Raises:
        GroupstreamError: what a worker raised.
        SpecError: the runner asks for what cannot be.
        WorkerError: a worker, or the job, ended on its own.
    """
    match runner:
        case Local():
            run_here(build, runner, staging)
        case Dataflow():
            run_on_dataflow(build, runner, staging, name)
        case _:
            run_on_cluster(build, runner, name)


def _words(name: str) -> str:
    """`PartitionExamples` as `partition-examples`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()
