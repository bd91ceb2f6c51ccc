"""Telling whoever watches how far a build is: the log of the Prefect run, or a terminal."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from time import monotonic
from typing import Protocol

from tasks.steps import Step

_SECONDS_BETWEEN_LOOKS = 0.25


class Reporter(Protocol):
    """Shows the stages of a build."""

    def stage_started(self, name: str) -> None:
        """A stage begins."""

    def stage_progressed(self, name: str, done: int, total: int, detail: str) -> None:
        """`done` of `total` units of work are done; `detail` says more in words."""

    def stage_ended(self, name: str, seconds: float) -> None:
        """A stage ended well."""


class LogReporter:
    """Writes a line for each stage to the log, and one now and then on the way."""

    _SECONDS_BETWEEN_LINES = 30.0

    def __init__(self) -> None:
        self._log = logging.getLogger("groupstream")
        self._said_at = monotonic()

    def stage_started(self, name: str) -> None:
        """See `Reporter.stage_started`."""
        self._log.info("%s ...", name)

    def stage_progressed(self, name: str, done: int, total: int, detail: str) -> None:
        """See `Reporter.stage_progressed`."""
        if monotonic() - self._said_at > self._SECONDS_BETWEEN_LINES:
            self._said_at = monotonic()
            self._log.info("%s: %d of %d, %s", name, done, total, detail)

    def stage_ended(self, name: str, seconds: float) -> None:
        """See `Reporter.stage_ended`."""
        self._log.info("%s: done in %.1f s", name, seconds)


reporter: ContextVar[Reporter] = ContextVar("reporter", default=LogReporter())  # noqa: B039 - it keeps only a clock


@contextmanager
def shown_by(shown: Reporter) -> Iterator[None]:
    """Inside, a build is shown by this one; after it, by whoever did before."""
    token = reporter.set(shown)
    try:
        yield
    finally:
        reporter.reset(token)


step_listener: ContextVar[Callable[[Step], None]] = ContextVar("step_listener", default=lambda step: None)


def report(stage: str, step: Step) -> None:
    """Tells whoever watches the stage, and whoever listens to the steps, how far a step of the stage is."""
    what = "" if step.name == stage.lower() else f"{step.name}: "
    reporter.get().stage_progressed(stage, step.done, step.total, f"{what}{step.amounts}")
    step_listener.get()(step)


class Stages:
    """The stages of one build and how long each took, in seconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """What happens inside is a stage."""
        show, start = reporter.get(), monotonic()
        show.stage_started(name)
        yield
        self.seconds[name] = monotonic() - start
        show.stage_ended(name, self.seconds[name])


@contextmanager
def watching(stage: str, look: Callable[[], Step | None]) -> Iterator[None]:
    """Reports what `look` gives for as long as the work inside takes, and once more at its end.

    Args:
        look: gives how far the work is; None while nothing of it is done.
    """
    stopped = threading.Event()

    def report_seen() -> None:
        if (step := look()) is not None:
            report(stage, step)

    def watch() -> None:
        while not stopped.wait(_SECONDS_BETWEEN_LOOKS):
            report_seen()

    thread = threading.Thread(target=copy_context().run, args=(watch,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
        report_seen()
