"""Waiting for a job of Dataflow, and ending it."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http.client import NOT_FOUND, REQUEST_TIMEOUT, TOO_MANY_REQUESTS

from groupstream import WorkerError
from pipelines.runners.dataflow_jobs import DataflowJobs, JobMessage, is_of_google
from pipelines.runners.errors import error_of_ours, last_line

_PATIENCE_SECONDS = 600.0
_REASON_SECONDS = 50.0
_CANCEL_TRIES = 3
_PASSING = (NOT_FOUND, REQUEST_TIMEOUT, TOO_MANY_REQUESTS)  # a job that was just made is not found at times
_ENDED = ("DONE", "FAILED", "CANCELLED", "UPDATED", "DRAINED")
_LEVELS = {"BASIC": logging.INFO, "WARNING": logging.WARNING}

_log = logging.getLogger("groupstream")


class _Listener:
    """Repeats to the log what a job says, passes on what it has counted, and keeps the last errors.

    Attributes:
        errors: the texts of the last errors; what a worker raised is among them, with its traceback.
    """

    def __init__(self, jobs: DataflowJobs, job_id: str, progressed: Callable[[Mapping[str, int]], None]) -> None:
        self.errors: deque[str] = deque(maxlen=20)
        self._jobs, self._job_id, self._progressed = jobs, job_id, progressed
        self._since: datetime | None = None
        self._heard: set[str] = set()  # of those at `_since`

    def listen(self) -> None:
        """Takes in what is new."""
        for message in self._jobs.messages(self._job_id, self._since):
            if message.id in self._heard:
                continue
            if message.time != self._since:
                self._since, self._heard = message.time, set()
            self._heard.add(message.id)
            self._take(message)
        self._progressed(self._jobs.counts(self._job_id))

    def _take(self, message: JobMessage) -> None:
        if message.importance == "ERROR":
            self.errors.append(message.text)
            _log.warning("Dataflow: %s", last_line(message.text))
        elif message.importance in _LEVELS:
            _log.log(_LEVELS[message.importance], "Dataflow: %s", message.text)


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes:
        state: DONE, FAILED, CANCELLED, UPDATED or DRAINED.
        errors: the last ones it said.
    """

    job_id: str
    state: str
    errors: tuple[str, ...]


def watch_job(
    jobs: DataflowJobs,
    job_id: str,
    poll_seconds: float,
    progressed: Callable[[Mapping[str, int]], None] = lambda counts: None,
    patience_seconds: float = _PATIENCE_SECONDS,
    reason_seconds: float = _REASON_SECONDS,
) -> Outcome:
    """Waits until a job has ended; what it says goes to the log.

    Args:
        progressed: gets what the workers have counted, now and then.
        patience_seconds: for how long requests may fail for a passing reason, one after the other.
        reason_seconds: how long after a failure its reason may come.

    Raises:
        WorkerError: nothing is heard of the job.
    """
    listener = _Listener(jobs, job_id, progressed)
    _log.info("Dataflow job %s: %s", job_id, jobs.console_url(job_id))
    state = _wait(jobs, job_id, listener, poll_seconds, patience_seconds)
    if state == "FAILED":
        _hear_the_reason(listener, poll_seconds, reason_seconds)
    return Outcome(job_id, state, tuple(listener.errors))


def _wait(jobs: DataflowJobs, job_id: str, listener: _Listener, poll_seconds: float, patience_seconds: float) -> str:
    """The state in which the job ended."""
    state, heard_at = "", time.monotonic()
    while True:
        try:
            found = jobs.state(job_id)
            listener.listen()
            heard_at = time.monotonic()
        except Exception as error:
            _refuse_lasting(jobs, job_id, error, time.monotonic() - heard_at, patience_seconds)
            found = state
        if found != state:
            _log.info("Dataflow job %s is %s", job_id, found.lower().replace("_", " "))
            state = found
        if state in _ENDED:
            return state
        time.sleep(poll_seconds)


def _refuse_lasting(
    jobs: DataflowJobs, job_id: str, error: Exception, unheard_seconds: float, patience_seconds: float
) -> None:
    """Lets a failed request pass, unless its reason does not, or it has lasted too long."""
    if not is_of_google(error):
        raise error
    if _may_pass(error) and unheard_seconds < patience_seconds:
        _log.warning("Dataflow did not answer, asking again: %s", last_line(str(error)))
        return
    raise WorkerError(
        f"lost sight of Dataflow job {job_id} for {unheard_seconds:,.0f} s: {last_line(str(error))}. See whether "
        f"it goes on at {jobs.console_url(job_id)}, then build again"
    ) from error


def _may_pass(error: Exception) -> bool:
    code = getattr(error, "code", None)
    return not isinstance(code, int) or code >= 500 or code in _PASSING


def _hear_the_reason(listener: _Listener, poll_seconds: float, reason_seconds: float) -> None:
    """Waits a little for the message that says why a job failed."""
    until = time.monotonic() + reason_seconds
    while not listener.errors and time.monotonic() < until:
        time.sleep(min(poll_seconds, 1.0))
        try:
            listener.listen()
        except Exception as error:
            if not is_of_google(error):
                raise


def refuse_failure(jobs: DataflowJobs, outcome: Outcome) -> None:
    """Raises what a job failed of.

    Raises:
        GroupstreamError: what a worker raised.
        WorkerError: the job failed of something else, or others ended it.
    """
    if outcome.state == "DONE":
        return
    where = f"Dataflow job {outcome.job_id}: {jobs.console_url(outcome.job_id)}"
    if outcome.state != "FAILED":
        raise WorkerError(
            f"the job was {outcome.state.lower()}, not by this build. Nothing is published; build again. {where}"
        )
    ours = [error for error in map(error_of_ours, outcome.errors) if error]
    if ours:
        raise type(ours[-1])(f"{ours[-1]} ({where})")
    reasons = "; ".join(dict.fromkeys(map(last_line, outcome.errors))) or "it gives no reason"
    raise WorkerError(f"the job failed: {reasons:.1500}. Nothing is published. {where}")


def cancel_job(jobs: DataflowJobs, name: str, job_id: str | None) -> None:
    """Ends a job whose build ends, and says so; where it cannot, it says what to do.

    Args:
        name: by which it is looked for where its id is not known: it may have been submitted all the same.
    """
    for tries_left in reversed(range(_CANCEL_TRIES)):
        try:
            if not (job_id := job_id or jobs.find(name)):
                return
            jobs.cancel(job_id)
        except Exception as error:
            if tries_left and is_of_google(error):
                time.sleep(1.0)
                continue
            _log.error(
                "Dataflow job %s may go on, it could not be cancelled: %s. Cancel it at %s",
                name,
                last_line(str(error)),
                jobs.console_url(job_id or ""),
            )
        else:
            _log.warning("cancelled Dataflow job %s; its workers end within minutes", job_id)
        return
