"""Ranges that are asked for, and answers that end too early."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

BLOCK_BYTES = 64 << 10  # of a body that is read at once: so much is lost where the connection ends


def byte_range(offset: int, length: int | None) -> str:
    """The value of the header Range. `length` is not 0, which it cannot say."""
    return f"bytes={offset}-" if length is None else f"bytes={offset}-{offset + length - 1}"


class Answer(NamedTuple):
    """An answer whose body is still to be read.

    Attributes:
        blocks: of its body.
        tag: of the object, as far as the server tells one that from another: two answers with one tag are of the same
            content.
        start: where its body begins in what was asked for at first; a server that knows no ranges begins at 0.
    """

    blocks: Iterator[bytes]
    tag: str
    start: int = 0


class Body(NamedTuple):
    """A body that came whole, and the tag of the object it is of."""

    content: bytes
    tag: str


def read_body(ask: Callable[[int], Answer], cut: tuple[type[Exception], ...], attempts: int) -> Body:
    """The body of an answer. Where the connection ends in the middle of it, what follows is asked for.

    The libraries repeat a request that gets no answer; what is cut after the headers they leave to us. No byte that
    came is asked for again, unless the object is another one by then.

    Args:
        ask: makes the request for what follows the first so many bytes.
        cut: what reading the blocks raises where the body ends too early.
        attempts: how often at most in a row in which nothing comes. The waits between double, from 0.1 s.
    """
    came: list[bytes] = []
    count, tag, failed = 0, "", 0
    while True:
        answer = ask(count)
        if answer.start != count or answer.tag != tag:
            came, count, tag = [], 0, answer.tag
        if answer.start == count:
            before = count
            try:
                for block in answer.blocks:
                    came.append(block)
                    count += len(block)
                return Body(b"".join(came), tag)
            except cut:
                failed = failed + 1 if count == before else 1
                if failed == attempts:
                    raise
        time.sleep(0.05 * 2**failed)
