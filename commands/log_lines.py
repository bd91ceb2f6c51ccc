"""What the log of groupstream says, at a terminal: where a job runs, what its workers say, that it was cancelled."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text


class _Lines(logging.Handler):
    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler.emit`."""
        level = "" if record.levelno < logging.WARNING else f"{record.levelname.lower()}: "
        self._console.print(Text(f"{level}{record.getMessage()}"), soft_wrap=True)


@contextmanager
def log_lines(console: Console) -> Iterator[None]:
    """Inside, each line of the log is one on the console, above the bars of a `TerminalReporter` there."""
    log, handler = logging.getLogger("groupstream"), _Lines(console)
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
