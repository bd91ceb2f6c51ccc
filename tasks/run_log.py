"""The log of a run in the Prefect UI: our lines, and what the libraries below us warn of.

Prefect itself takes there what its own loggers say only. It has a setting for others, PREFECT_LOGGING_EXTRA_LOGGERS,
but that would have to stand in the environment of each worker, sets no level, and loses what other threads say. So a
run brings its own handler, wherever it runs.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any

from prefect.context import FlowRunContext
from prefect.logging.handlers import APILogHandler

from tasks.log_level import OURS, our_lines_wanted
from tasks.masking import MaskingFormatter

_OF_PREFECT = ("prefect.flow_runs", "prefect.task_runs")  # these have a handler for the API already


class RunLogHandler(APILogHandler):
    """Sends to Prefect what is said in a run, by any of its threads.

    Args:
        run: the context of the run.
    """

    def __init__(self, run: FlowRunContext) -> None:
        super().__init__()
        self._flow_run_id = run.flow_run and run.flow_run.id
        self._context = copy_context()
        self.setFormatter(MaskingFormatter())
        self.addFilter(_is_shown)

    def emit(self, record: logging.LogRecord) -> None:
        """A thread that Beam, gRPC or a pool started knows no run: what it says is of this one."""
        running = FlowRunContext.get()
        if running is None:
            self._context.copy().run(super().emit, record)
        elif running.flow_run is not None and running.flow_run.id == self._flow_run_id:
            super().emit(record)


def _is_shown(record: logging.LogRecord) -> bool:
    """Ours from level INFO, those of others from WARNING, and nothing of Prefect, which sends its own."""
    is_ours = record.name == OURS or record.name.startswith(f"{OURS}.")
    return record.levelno >= (logging.INFO if is_ours else logging.WARNING) and not record.name.startswith("prefect")


@contextmanager
def run_log() -> Iterator[None]:
    """Inside, the log of the run that is under way has what we and the libraries say."""
    run = FlowRunContext.get()
    if run is None or run.flow_run is None:
        yield
        return
    _mask_prefect()
    handler, root = RunLogHandler(run), logging.getLogger()
    root.addHandler(handler)
    try:
        with our_lines_wanted():
            yield
    finally:
        root.removeHandler(handler)


def _mask_prefect() -> None:
    """What Prefect says of an error of ours is masked, too: also after the run, of which it says the last."""
    handlers: dict[int, Any] = {id(h): h for name in _OF_PREFECT for h in logging.getLogger(name).handlers}
    for handler in handlers.values():
        if not isinstance(handler.formatter, MaskingFormatter):
            handler.setFormatter(MaskingFormatter(handler.formatter))
