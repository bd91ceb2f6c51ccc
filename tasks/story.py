"""A run that tells its story in the Prefect UI while it goes on: log lines, and progress that moves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tasks.progress_artifacts import progress_artifacts
from tasks.run_log import run_log


@contextmanager
def told_run(dataset: str) -> Iterator[None]:
    """Inside, the run of a build shows what it does. Where no server of Prefect is asked, it only logs.

    Args:
        dataset: that is built.
    """
    with run_log(), progress_artifacts(dataset):
        yield
