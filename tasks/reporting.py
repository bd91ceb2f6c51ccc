"""Telling whoever watches how far a build is: the log of the Prefect run, or a terminal."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic
from typing import Protocol

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
def watching(name: str, look: Callable[[], tuple[int, int, str]]) -> Iterator[None]:
    """Reports what `look` gives, (done, total, detail), for as long as the work inside takes."""
    show, stopped = reporter.get(), threading.Event()

    def watch() -> None:
        while not stopped.wait(_SECONDS_BETWEEN_LOOKS):
            show.stage_progressed(name, *look())

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
        show.stage_progressed(name, *look())
