"""Builds a spec and kills itself, as the kernel would, at a chosen moment. Not a test: test_killed.py runs it.

Usage: python killed_build.py SPEC.json STAGE START|N     N: when the stage has done N units of its work
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path


class KillingReporter:
    """Watches the stages, as a terminal does."""

    def __init__(self, stage: str, moment: str) -> None:
        self.stage = stage
        self.moment = moment

    def stage_started(self, name: str) -> None:
        if name == self.stage and self.moment == "START":
            os.kill(os.getpid(), signal.SIGKILL)

    def stage_progressed(self, name: str, done: int, total: int, detail: str) -> None:
        if name == self.stage and self.moment != "START" and done >= int(self.moment):
            os.kill(os.getpid(), signal.SIGKILL)

    def stage_ended(self, name: str, seconds: float) -> None:
        pass


if __name__ == "__main__":
    from flows.build_dataset import build_dataset
    from specs import Spec
    from tasks.reporting import reporter

    spec_file, stage, moment = sys.argv[1:]
    reporter.set(KillingReporter(stage, moment))
    build_dataset(Spec.model_validate_json(Path(spec_file).read_text()))
