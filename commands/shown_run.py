"""A flow that runs in this process, shown at the terminal."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from rich.console import Console


@contextmanager
def shown_run(console: Console) -> Iterator[None]:
    """Inside, the stages of a run are bars on the console and our log is lines above them. Imports Prefect.

    SIGTERM ends it in order, as Ctrl-C does: else the server that Prefect starts beside a run would live on.
    """
    from prefect import tags

    from commands.log_lines import log_lines
    from commands.terminal import TerminalReporter
    from tasks.reporting import shown_by

    automated = tags("groupstream")  # what automations.yaml goes by
    handler = signal.signal(signal.SIGTERM, _end)
    try:
        with TerminalReporter(console) as terminal, shown_by(terminal), log_lines(console), automated:
            yield
    finally:
        signal.signal(signal.SIGTERM, handler)


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
