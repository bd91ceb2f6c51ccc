"""What a run prints goes to its worker, and the worker may die: the run goes on all the same.

Rich, with which Prefect prints its log, ends the process when nobody reads what it prints any more.
"""

from __future__ import annotations

import logging
import os

from prefect.logging.handlers import PrefectConsoleHandler

_STDOUT, _STDERR = 1, 2


class LastingConsoleHandler(PrefectConsoleHandler):
    """Prefect's own; from when nobody reads on, nothing is printed. The server has the log, too."""

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler.emit`."""
        try:
            super().emit(record)
        except SystemExit:
            self.console.quiet = True
            nowhere = os.open(os.devnull, os.O_WRONLY)
            for stream in (_STDOUT, _STDERR):
                os.dup2(nowhere, stream)
            os.close(nowhere)
