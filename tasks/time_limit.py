"""How long a run may take: GROUPSTREAM_MAX_RUN_SECONDS, which whoever deploys sets."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from groupstream import SpecError, WorkerError
from pipelines.runners.errors import interruption_in

MAX_RUN_SECONDS = "GROUPSTREAM_MAX_RUN_SECONDS"

_AGAIN_SECONDS = 10.0


@contextmanager
def limited_time() -> Iterator[None]:
    """Inside, the work may take so long. Not set, it may take any time.

    The end comes as an error where the work is, so all that waits for one is done: what was written and not published
    goes or is kept as after any other error, jobs elsewhere are cancelled, worker processes end. Prefect's own limit
    would not say what to do, nor tell the registry. It is that of a process whose main thread does the work, as each
    run of a worker of Prefect is.

    Raises:
        WorkerError: the time is up.
        SpecError: the variable is no number of seconds.
    """
    seconds = max_run_seconds()
    if seconds is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    try:
        with _clock(seconds):
            yield
    except BaseException as error:
        if (public := public_error(error)) is not error:
            raise public from error
        raise


def public_error(error: BaseException) -> BaseException:
    """What people are told of an error: of the end of the time, also where it was renamed on the way, a WorkerError."""
    return WorkerError(_message()) if isinstance(interruption_in(error), _TimeIsUp) else error


class _TimeIsUp(BaseException):
    """Strikes the work wherever it is. No Exception: what expects some failure there must not take it for one."""


@contextmanager
def _clock(seconds: float) -> Iterator[None]:
    """Raises inside when the time is up, and again a little later where that was lost."""
    began, handler = time.monotonic(), signal.signal(signal.SIGALRM, _strike)
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds, min(seconds, _AGAIN_SECONDS))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if left:  # whoever had set the clock before has it again
            signal.setitimer(signal.ITIMER_REAL, max(left - time.monotonic() + began, 1e-3), interval)


def _strike(number: int, frame: FrameType | None) -> None:
    handled = sys.exc_info()[1]
    if handled is None or not isinstance(interruption_in(handled), _TimeIsUp):  # else it is being cleaned up after it
        raise _TimeIsUp(_message())


def max_run_seconds() -> float | None:
    """The limit; None where there is none.

    Raises:
        SpecError: it is no number above 0.
    """
    text = os.environ.get(MAX_RUN_SECONDS)
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < threading.TIMEOUT_MAX:
        raise SpecError(
            f"{MAX_RUN_SECONDS} is {text!r}; whoever runs the deployment sets a number of seconds above 0, or unsets it"
        )
    return seconds


def _message() -> str:
    seconds = max_run_seconds() or 0
    return (
        f"the run took longer than {seconds:,.0f} s, which is all that {MAX_RUN_SECONDS} allows. Nothing is published, "
        "unless it was at Register. Build fewer files at once or with more runner.num_workers, or ask whoever runs the "
        "deployment to raise it"
    )
