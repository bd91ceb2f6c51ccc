"""A flow that runs in this process, shown at the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


@contextmanager
def shown_run(console: Console) -> Iterator[None]:
    """Inside, the stages of a run are bars on the console and our log is lines above them. Imports Prefect."""
    from prefect import tags

    from commands.log_lines import log_lines
    from commands.terminal import TerminalReporter
    from tasks.reporting import shown_by

    automated = tags("groupstream")  # what automations.yaml goes by
    with TerminalReporter(console) as terminal, shown_by(terminal), log_lines(console), automated:
        yield
