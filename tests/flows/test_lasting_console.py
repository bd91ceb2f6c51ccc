"""A process goes on when nobody reads any more what it prints."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from orchestration.environment import platform_environment

LOG_ON = """
import sys
from prefect.logging import get_logger
from prefect.logging.configuration import setup_logging
setup_logging()
log = get_logger("x")
sys.stdin.readline()
for number in range(3):
    log.warning("nobody reads this")
print("nor this", flush=True)
open(sys.argv[1], "w").write("done")
"""


@pytest.mark.integration
@pytest.mark.parametrize("reader_lives", [False, True])
def test_log_goes_on_without_a_reader(tmp_path, reader_lives):
    given = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    environment = platform_environment(tmp_path / "home", str(tmp_path), 4200, given)
    command = [sys.executable, "-c", LOG_ON, str(tmp_path / "done")]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, env=environment, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True
    ) as run:
        if not reader_lives:
            run.stdout.close()
        run.stdin.write("\n")
        run.stdin.flush()
        printed = run.stdout.read() if reader_lives else ""
        assert run.wait(120) == 0, printed
    assert (tmp_path / "done").read_text() == "done"
    assert printed.count("nobody reads this") == (3 if reader_lives else 0)
