"""Waits for what other processes do. A limit ends what hangs; how long something may take is for the benchmarks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

LONG = 600  # seconds: machines that run tests stand still for minutes now and then

Found = TypeVar("Found")


def wait_until(look: Callable[[], Found], what: str | Callable[[], str], seconds: float = LONG) -> Found:
    """What a look gives, as soon as it is something; else fails, and says what it waited for."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what if isinstance(what, str) else what()}")
        time.sleep(0.3)
    return found
