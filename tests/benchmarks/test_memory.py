"""What a command takes is measured over all its processes, shared pages once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.pipeline.memory import folder_bytes, watch

pytestmark = pytest.mark.integration

MB = 1_000_000
SHARED = f"""
import os, time
block = bytearray(b"x") * {150 * MB}
child = os.fork()
time.sleep(3)  # a busy machine looks more rarely
if child:
    os.waitpid(child, 0)
    print("{{}}")
"""
OWN = f"""
import subprocess, sys, time
code = "import time; block = bytearray(b'x') * {100 * MB}; time.sleep(4)"
two = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
[process.wait() for process in two]
"""


def test_pages_that_processes_share_count_once():
    used = watch([sys.executable, "-c", SHARED])
    assert 150 * MB < used.peak_bytes < 250 * MB
    assert used.found == {}


def test_processes_that_a_command_starts_count_too():
    assert 200 * MB < watch([sys.executable, "-c", OWN]).peak_bytes < 300 * MB


def test_files_of_the_watched_folders_count_while_they_are_there(tmp_path: Path):
    code = f"""
import pathlib, time
path = pathlib.Path({str(tmp_path / "deep" / "file")!r})
path.parent.mkdir()
path.write_bytes(b"x" * 5_000_000)
time.sleep(3)
path.unlink()
"""
    used = watch([sys.executable, "-c", code], [tmp_path])
    assert used.peak_disk_bytes >= 5_000_000
    assert folder_bytes(tmp_path) < 5_000_000


def test_a_command_that_fails_is_named_with_what_it_said():
    with pytest.raises(RuntimeError, match=r"(?s)ended with 1: .*no such thing"):
        watch([sys.executable, "-c", "raise ValueError('no such thing')"])
