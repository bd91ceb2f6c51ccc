"""Iterators that know where they stand."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import TypeVar

T = TypeVar("T")


class Resumable(Iterator[T]):
    """Yields what `_run` yields.

    After an error, or a Ctrl-C, the next call runs anew from where the iterator stands. A generator alone would end
    there, as if everything had been given.
    """

    _running: Iterator[T] | None = None

    @abstractmethod
    def _run(self) -> Iterator[T]:
        """What is left, from where it stands. Notes where it stands before each item."""

    def __next__(self) -> T:
        if self._running is None:
            self._running = self._run()
        try:
            return next(self._running)
        except StopIteration:
            raise
        except BaseException:
            self._running = None
            raise
