"""The level of our logger while somebody reads its lines: the log of a run in Prefect, or a terminal."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

OURS = "groupstream"  # the logger of all our packages


class _Readers:
    """How many read the lines of our logger, and the level that it had before the first of them came."""

    def __init__(self) -> None:
        self._lock, self._num_readers, self._level_before = threading.Lock(), 0, logging.NOTSET

    def come(self) -> None:
        """From now on lines of level INFO are for somebody."""
        log = logging.getLogger(OURS)
        with self._lock:
            if self._num_readers == 0:
                self._level_before = log.level
                log.setLevel(min(log.getEffectiveLevel(), logging.INFO))
            self._num_readers += 1

    def go(self) -> None:
        """The last one leaves the level as the first one found it."""
        with self._lock:
            self._num_readers -= 1
            if self._num_readers == 0:
                logging.getLogger(OURS).setLevel(self._level_before)


_readers = _Readers()


@contextmanager
def our_lines_wanted() -> Iterator[None]:
    """Inside, our logger says its lines of level INFO, also while another run of the same process comes to its end."""
    _readers.come()
    try:
        yield
    finally:
        _readers.go()
