"""How much of a network one process may use: bytes and requests a second, and connections at once.

    GROUPSTREAM_MAX_BYTES_PER_SECOND      sent and read together, such as 50e6
    GROUPSTREAM_MAX_REQUESTS_PER_SECOND   such as 100
    GROUPSTREAM_MAX_CONNECTIONS           such as 8

Each is of a process, over all of its remote stores; without one there is no limit. `limited_pools` puts them where the
connections of every library that we use are made.

The pace is ours and not pyrate-limiter's: that keeps an entry for each unit of weight, so eight million for a block of
8 MiB, and never lets pass what weighs more than a second's worth. Here who comes too early sleeps until it is due.
"""

from __future__ import annotations

import functools
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from groupstream.errors import UsageError

BYTES_PER_SECOND = "GROUPSTREAM_MAX_BYTES_PER_SECOND"
REQUESTS_PER_SECOND = "GROUPSTREAM_MAX_REQUESTS_PER_SECOND"
CONNECTIONS = "GROUPSTREAM_MAX_CONNECTIONS"


class Pace:
    """Lets pass so much a second on average, in the order of asking. Threads share it.

    Nothing is saved up: what was not used is lost. What is larger than a second's worth passes when its turn comes, and
    the next one waits the longer.

    >>> slept = []
    >>> pace = Pace(10, clock=lambda: 0.0, sleep=slept.append)
    >>> for amount in (5, 20, 1):
    ...     pace.take(amount)
    >>> slept
    [0.5, 2.5]
    """

    def __init__(
        self,
        per_second: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._per_second = per_second
        self._clock = clock
        self._sleep = sleep
        self._due = 0.0
        self._lock = threading.Lock()

    def take(self, amount: int) -> None:
        """Returns when it may pass."""
        with self._lock:
            now = self._clock()
            start = max(self._due, now)
            self._due = start + amount / self._per_second
        if start > now:
            self._sleep(start - now)


@dataclass(frozen=True)
class Limits:
    """The limits of this process; None where there is none."""

    bytes: Pace | None
    requests: Pace | None
    connections: threading.BoundedSemaphore | None


def current_limits() -> Limits:
    """As the environment says now. What has been used so far counts as long as it says the same.

    Raises:
        UsageError: a limit is no number above 0.
    """
    names = (BYTES_PER_SECOND, REQUESTS_PER_SECOND, CONNECTIONS)
    return _limits(os.getpid(), *(os.environ.get(name, "") for name in names))


@functools.lru_cache(1)
def _limits(pid: int, bytes_per_second: str, requests_per_second: str, connections: str) -> Limits:
    """A forked process gets its own, as locks may be held at the moment of a fork."""
    at_once = _number(CONNECTIONS, connections)
    return Limits(
        _pace(BYTES_PER_SECOND, bytes_per_second),
        _pace(REQUESTS_PER_SECOND, requests_per_second),
        threading.BoundedSemaphore(max(1, int(at_once))) if at_once else None,
    )


def _pace(name: str, text: str) -> Pace | None:
    per_second = _number(name, text)
    return Pace(per_second) if per_second else None


def _number(name: str, text: str) -> float | None:
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise UsageError(f"${name} is {text!r}; write a number above 0, such as 8 or 50e6, or unset it")
    return number
