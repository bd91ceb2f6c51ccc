"""Holds a build where a stage begins, as long as a file is there. Python imports it where this folder is in PYTHONPATH.

HOLD_AT names the stage, HOLD_FILE the file; the build writes its process number into it when it is there.
"""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path


class _Hold(logging.Filter):
    """Sees what the build says when a stage begins. A filter, since Prefect sets handlers of its own."""

    def filter(self, record: logging.LogRecord) -> bool:
        file = Path(os.environ["HOLD_FILE"])
        if record.getMessage() == f"{os.environ['HOLD_AT']} ..." and file.exists():
            file.write_text(f"{os.getpid()}\n")
            while file.exists():
                time.sleep(0.05)
        return True


if "HOLD_AT" in os.environ:
    logging.getLogger("groupstream").addFilter(_Hold())
