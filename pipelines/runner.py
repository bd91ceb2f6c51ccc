"""Running a pipeline on this machine."""

from __future__ import annotations

import logging

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from pipelines.plan import Plan
from pipelines.staging import StagingArea
from pipelines.transforms import PartitionExamples


def run_pipeline(plan: Plan, staging: StagingArea) -> None:
    """Runs the pipeline to its end.

    The runner is named, since Beam's default one first tries to download another. Several workers are processes:
    Beam's multi_threading mode loses data in GroupByKey without an error.

    Raises:
        GroupstreamError: what a worker raised.
    """
    logging.getLogger("apache_beam").setLevel(logging.ERROR)
    num_workers = plan.spec.runner.num_workers
    options = PipelineOptions(
        direct_num_workers=num_workers,
        direct_running_mode="multi_processing" if num_workers > 1 else "in_memory",
    )
    try:
        with beam.Pipeline(runner=FnApiRunner(), options=options) as pipeline:
            _ = pipeline | "Pieces" >> beam.Create(plan.pieces) | PartitionExamples(plan, staging)
    except Exception as error:
        if recorded := staging.recorded_error():
            raise recorded from error
        raise
