"""Runs a module of Python as a process that ends with the one that started it.

`python -m orchestration.child PARENT MODULE ARGUMENTS`, where PARENT is the number of the process that starts it.
Where the kernel cannot promise that (it can on Linux), the next start finds what lives on; see `orchestration.lock`.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys

_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)


def main(module: str, parent: int) -> None:
    """Runs the module with the arguments that follow it."""
    end_with_parent(parent)
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def end_with_parent(parent: int) -> None:
    """From now on this process is told to end (SIGTERM) as soon as its parent has ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
        if os.getppid() != parent:  # it ended before this was asked for
            sys.exit(1)


if __name__ == "__main__":
    _, given_parent, *sys.argv = sys.argv
    main(sys.argv[0], int(given_parent))
