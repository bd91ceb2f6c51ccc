"""Builds specs and kills each build, as the kernel would, at a chosen moment. Not a test: `killed_at` runs it.

Reads {"spec": ..., "stage": ..., "moment": "START" or N} line by line, N: when the stage has done N units of its work.
Each is built by a process that is forked off, so that what a build imports is imported once; how it ended is a line
{"ended": -9, "said": ...}.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import traceback


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


def kill(spec: dict, stage: str, moment: str) -> tuple[int, str]:
    """Exit status and last words of the process that builds."""
    with tempfile.TemporaryFile() as said:
        pid = os.fork()
        if pid == 0:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
            try:
                with shown_by(KillingReporter(stage, moment)):
                    build_dataset(Spec.model_validate(spec))
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)  # it lives: it was not killed
        _, status = os.waitpid(pid, 0)
        said.seek(0)
        return os.waitstatus_to_exitcode(status), said.read().decode()[-2000:]


if __name__ == "__main__":
    from flows.build_dataset import build_dataset
    from specs import Spec
    from tasks.reporting import shown_by
    from validation.group_suite import load_great_expectations

    load_great_expectations()
    for line in sys.stdin:
        asked = json.loads(line)
        ended, said = kill(asked["spec"], asked["stage"], asked["moment"])
        print(json.dumps({"ended": ended, "said": said}), flush=True)
