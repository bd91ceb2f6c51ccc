"""What the log of groupstream says, at a terminal: where a job runs, what its workers say, that it was cancelled."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

from tasks.log_level import OURS, our_lines_wanted


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
    log, handler = logging.getLogger(OURS), _Lines(console)
    log.addHandler(handler)
    try:
        with our_lines_wanted():
            yield
    finally:
        log.removeHandler(handler)
