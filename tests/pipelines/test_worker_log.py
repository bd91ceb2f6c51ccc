"""What worker processes say to a logger is said by the process that runs the build."""

from __future__ import annotations

import logging
import os

import apache_beam as beam
import pytest

from pipelines.runners.local import run_here
from pipelines.staging import staging_area
from specs import Local

pytestmark = pytest.mark.integration


def say(_: int) -> None:
    logging.getLogger("groupstream").info("ours, of process %d", os.getpid())
    logging.getLogger("some.library").warning("theirs,\nin two lines")
    logging.getLogger("some.library").info("that is of no use")


def fail(_: int) -> None:
    raise OSError("no such thing")


def test_lines_of_workers_are_lines_of_the_build(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    with staging_area(str(tmp_path)) as staging:
        run_here(lambda pipeline: pipeline | beam.Create([1]) | beam.Map(say), Local(num_workers=2), staging)
    said = {record.name: record for record in caplog.records if record.name in ("groupstream", "some.library")}
    assert said["groupstream"].levelno == logging.INFO
    assert said["groupstream"].getMessage().startswith("ours, of process ")
    assert not said["groupstream"].getMessage().endswith(f" {os.getpid()}"), "it was said in a process of its own"
    assert said["some.library"].levelno == logging.WARNING
    assert said["some.library"].getMessage() == "theirs,\nin two lines"


def test_beam_warns_of_nothing_in_a_build_that_is_well(tmp_path, caplog):
    for num_workers in (1, 2):
        with staging_area(str(tmp_path / str(num_workers))) as staging:
            runner = Local(num_workers=num_workers)
            run_here(lambda pipeline: pipeline | beam.Create([1]) | beam.Map(say), runner, staging)
    assert [record for record in caplog.records if record.name.startswith("apache_beam")] == []


@pytest.mark.parametrize("num_workers", [1, 2])
def test_an_error_of_a_worker_is_raised_and_not_said_as_well(tmp_path, caplog, num_workers):
    runner = Local(num_workers=num_workers)
    with staging_area(str(tmp_path)) as staging, pytest.raises(Exception, match="no such thing"):
        run_here(lambda pipeline: pipeline | beam.Create([1]) | beam.Map(fail), runner, staging)
    assert [record.getMessage()[:80] for record in caplog.records if record.levelno >= logging.WARNING] == []
