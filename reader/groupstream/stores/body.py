"""Ranges that are asked for, and answers that end too early."""

from __future__ import annotations

import time
from collections.abc import Callable


def byte_range(offset: int, length: int | None) -> str:
    """The value of the header Range. `length` is not 0, which it cannot say."""
    return f"bytes={offset}-" if length is None else f"bytes={offset}-{offset + length - 1}"


def read_whole(ask: Callable[[], Callable[[], bytes]], cut: tuple[type[Exception], ...], attempts: int) -> bytes:
    """The body of an answer, asked for again where the connection ends in the middle of it.

    The libraries repeat a request that gets no answer; what is cut after the headers they leave to us.

    Args:
        ask: makes the request and returns the function that reads the body.
        cut: what that function raises where the body ends too early.
        attempts: how often at most. The waits between double, from 0.1 s.
    """
    for attempt in range(1, attempts):
        read_body = ask()
        try:
            return read_body()
        except cut:
            time.sleep(0.05 * 2**attempt)
    return ask()()
