"""The build as data flows: read, check, assign, spill, merge. Apache Beam is used here and nowhere else.

Each step is a plain function in a file of its own that knows no Beam; `transforms.py` wires them.
"""

import logging


def _says_something(record: logging.LogRecord) -> bool:
    """Beam warns at its import that clients of Google Cloud, which a local build does not need, are not installed."""
    return not str(record.msg).startswith("apitools not found")


logging.getLogger().addFilter(_says_something)
