"""A rule that waits as long as a file is there. The tests put this folder into PYTHONPATH of a build."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any


def group_of(example: dict[str, Any]) -> str:
    """The key of an example; says in the file which process waits."""
    file = Path(os.environ["WAIT_FILE"])
    if file.exists():
        file.write_text(f"{os.getpid()}\n")
    while file.exists():
        time.sleep(0.05)
    return str(example["key"])
