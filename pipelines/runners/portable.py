"""Running a pipeline on Flink or Spark, through Beam's portable runner and a job server."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.flink_runner import FlinkRunner
from apache_beam.runners.portability.portable_runner import PortableRunner
from apache_beam.runners.portability.spark_runner import SparkRunner
from apache_beam.runners.runner import PipelineState

from groupstream import WorkerError
from pipelines.runners.errors import error_of_ours, last_line, text_of
from pipelines.runners.interrupts import sigterm_unwinds
from pipelines.runners.options import pipeline_options
from specs import Flink, Spark

_ANSWER_SECONDS = 10.0
_JOB_SECONDS = 30 * 24 * 3600  # some job servers end what they say of a job after this time, running or not


def run_on_cluster(build: Callable[[beam.Pipeline], None], runner: Flink | Spark, name: str) -> None:
    """Submits a job to a cluster and waits for its end. The job is cancelled where the build ends before it.

    Raises:
        GroupstreamError: what a worker raised.
        SpecError: the runner asks for what cannot be.
        WorkerError: the job failed, or there is no job server.
    """
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL + 1)  # it repeats what is raised
    options = cluster_options(runner, name)
    if runner.job_endpoint:
        _refuse_unreachable(runner.job_endpoint)
    with sigterm_unwinds(), _without_messages():
        result = None
        try:
            pipeline = beam.Pipeline(runner=beam_runner(runner), options=options)
            build(pipeline)
            result = pipeline.run()
            result.wait_until_finish()
        except Exception as error:
            if result is not None and not _has_ended(result):  # as where the connection to the job server is lost
                _cancel(result)
            text = text_of(error)
            raise error_of_ours(text) or WorkerError(
                f"the job on {runner.kind} failed: {last_line(text)}. Nothing is published; see the logs of the cluster"
            ) from error
        except BaseException:
            if result is not None:
                _cancel(result)
            raise


def cluster_options(runner: Flink | Spark, name: str) -> PipelineOptions:
    """The options of a job.

    Raises:
        SpecError: the runner asks for what cannot be.
    """
    chosen: dict[str, Any] = {
        "job_name": name,
        "job_endpoint": runner.job_endpoint,
        "job_server_timeout": None if "job_server_timeout" in runner.options else _JOB_SECONDS,
        "environment_type": runner.environment_type,
        "environment_config": runner.environment_config,
        "parallelism": runner.parallelism,
        "number_of_worker_harness_threads": 1,
    }
    if isinstance(runner, Flink):
        chosen["flink_master"] = runner.flink_master
    else:
        chosen["spark_master_url"] = runner.spark_master_url
    return pipeline_options(chosen, runner.options)


def beam_runner(runner: Flink | Spark) -> PortableRunner:
    """Beam's runner: one that knows a job server, or that starts one."""
    if runner.job_endpoint:
        return PortableRunner()
    return FlinkRunner() if isinstance(runner, Flink) else SparkRunner()


def _refuse_unreachable(job_endpoint: str) -> None:
    """Beam itself waits for a job server until its time is up, and says nothing.

    Raises:
        WorkerError: nobody listens there.
    """
    host, _, port = job_endpoint.rpartition(":")
    try:
        socket.create_connection((host, int(port)), _ANSWER_SECONDS).close()
    except OSError as error:
        raise WorkerError(
            f"no job server answers at runner.job_endpoint {job_endpoint}: {error.strerror or error}. Start one: the "
            "page Runners of the documentation has the commands"
        ) from error


@contextmanager
def _without_messages() -> Iterator[None]:
    """Inside, Beam does not write to the root logger what the job server says; the last error of it is raised."""

    def is_not_message(record: logging.LogRecord) -> bool:
        return record.module != "portable_runner"

    root = logging.getLogger()
    root.addFilter(is_not_message)
    try:
        yield
    finally:
        root.removeFilter(is_not_message)


def _has_ended(result: Any) -> bool:
    try:
        return bool(PipelineState.is_terminal(result.state))
    except Exception:  # nobody says so
        return False


def _cancel(result: Any) -> None:
    log = logging.getLogger("groupstream")
    try:
        result.cancel()
    except Exception as error:
        log.error("the job could not be cancelled and goes on: %s. Cancel it in the cluster", last_line(str(error)))
    else:
        log.warning("cancelled the job")
