"""Cohorts packed ahead, on threads, while the device works on the one before."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, TypeVar

from groupstream import Group, UsageError
from groupstream.cohorts import Cohort, Cohorts
from training.data.packing import Clients

T = TypeVar("T")


def rounds(cohorts: Cohorts, start: int = 0, stop: int | None = None) -> Iterator[Cohort]:
    """The cohorts of the rounds from `start` on; each is the same as if all before it had been drawn, too."""
    numbers = itertools.count(start) if stop is None else iter(range(start, stop))
    return (cohorts[number] for number in numbers)


def prefetch(
    cohorts: Iterable[Clients], pack: Callable[[Clients], T], *, num_ahead: int = 2, num_threads: int = 2
) -> Prefetch[T]:
    """Packs cohorts ahead; gives `(round, packed)` in the order of the cohorts.

    Use it as a context, which ends its threads however it is left. Memory holds at most `num_ahead` cohorts besides
    that which the caller has.

    Args:
        cohorts: drawn in the thread of the caller; see `rounds`.
        pack: called in threads, several at once. What it raises comes out where the caller asks for that round, and
            ends the threads.
        num_ahead: cohorts that are packed, or being packed, while the caller works. 0 packs each when it is asked for.
        num_threads: at most so many cohorts at once. A tokenizer uses all cores by itself; more threads help where
            clients are read from elsewhere, or images are decoded.

    Raises:
        UsageError: a number is out of range.
    """
    if num_ahead < 0 or num_threads < 1:
        raise UsageError(
            f"num_ahead is {num_ahead} and num_threads {num_threads}; they should be at least 0 and at least 1"
        )
    return Prefetch(iter(cohorts), pack, num_ahead, num_threads)


class Prefetch(Generic[T]):
    """See `prefetch`."""

    def __init__(self, cohorts: Iterator[Clients], pack: Callable[[Clients], T], num_ahead: int, num_threads: int):
        self._cohorts = cohorts
        self._pack = pack
        self._num_ahead = num_ahead
        self._waiting: deque[tuple[int, Future[T]]] = deque()
        self._is_closed = threading.Event()
        self._pool = ThreadPoolExecutor(num_threads, thread_name_prefix="pack")

    def __iter__(self) -> Prefetch[T]:
        return self

    def __next__(self) -> tuple[int, T]:
        try:
            self._begin(max(self._num_ahead, 1))
            if not self._waiting:
                self.close()
                raise StopIteration
            round, ahead = self._waiting.popleft()
            packed = ahead.result()
            self._begin(self._num_ahead)
            return round, packed
        except BaseException:
            self.close()
            raise

    def _begin(self, num_cohorts: int) -> None:
        """Begins with as many cohorts as may be ahead."""
        while len(self._waiting) < num_cohorts and not self._is_closed.is_set():
            cohort = next(self._cohorts, None)
            if cohort is None:
                return
            ahead = self._pool.submit(self._pack, _UntilClosed(cohort, self._is_closed))
            self._waiting.append((cohort.round, ahead))

    def close(self) -> None:
        """Ends all threads, each before its next client. What was packed ahead is dropped."""
        self._is_closed.set()
        self._waiting.clear()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Prefetch[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        """Without a context, threads end once nobody has it any more."""
        self._is_closed.set()
        self._pool.shutdown(wait=False, cancel_futures=True)


class _ClosedError(Exception):
    """Nobody waits for this cohort any more."""


@dataclass(frozen=True)
class _UntilClosed:
    """The clients of a round, until somebody closes."""

    clients: Clients
    is_closed: threading.Event

    @property
    def round(self) -> int:
        return self.clients.round

    def __iter__(self) -> Iterator[Group]:
        for group in self.clients:
            if self.is_closed.is_set():
                raise _ClosedError
            yield group
