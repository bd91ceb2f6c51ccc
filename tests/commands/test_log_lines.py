from __future__ import annotations

import io
import logging

from rich.console import Console

from commands.log_lines import log_lines


def test_lines_of_the_log_are_shown_inside_only():
    log, console = logging.getLogger("groupstream"), Console(file=io.StringIO(), width=20)
    before = (log.level, list(log.handlers))
    with log_lines(console):
        log.info("job [1] is at https://console.example/with/a/long/path")
        log.warning("cancelled")
        log.debug("noise")
    log.warning("after")
    assert console.file.getvalue() == "job [1] is at https://console.example/with/a/long/path\nwarning: cancelled\n"
    assert (log.level, log.handlers) == before
