"""What each process must make for itself."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import Any, Generic, TypeVar

Made = TypeVar("Made")


class PerProcess(Generic[Made]):
    """Makes a thing when it is first asked for, in each process anew, and closes it when nobody holds this any more.

    Clients hold sockets and threads. They cannot be pickled, and one that lived through a fork would share its
    connections with the parent. Threads share what is made; of two that ask first at once, one throws its own away.

    Args:
        make: a function that can be pickled.
        close: another; it gets what was made.
    """

    def __init__(self, make: Callable[[], Made], close: Callable[[Made], None]) -> None:
        self._make = make
        self._close = close
        self._made: dict[int, Made] = {}
        weakref.finalize(self, _close_own, self._made, close).atexit = False

    def __call__(self) -> Made:
        """The thing of this process."""
        pid = os.getpid()
        if pid not in self._made:
            self._made.setdefault(pid, self._make())
        return self._made[pid]

    def __reduce__(self) -> tuple[Any, ...]:
        return PerProcess, (self._make, self._close)


def _close_own(made: dict[int, Made], close: Callable[[Made], None]) -> None:
    if os.getpid() in made:
        close(made.pop(os.getpid()))
