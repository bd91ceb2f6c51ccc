"""How long a person waits before anything happens: `python -m benchmarks.reader.imports [FOLDER]`.

Whole processes, median of 15, less the time of `python -c pass` in the same turn.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.reader.make_version import make_version, zipf_sizes
from benchmarks.reader.report import keep, machine

TURNS = 15
CASES = {
    "import groupstream": "import groupstream",
    "open a version": "import groupstream; groupstream.open('zipf')",
    "read the first group": "import groupstream; next(iter(groupstream.open('zipf')['train'])).table()",
    "groupstream --help": "import sys; sys.argv = ['groupstream', '--help']\nfrom groupstream.cli import main; main()",
    "import datasets": "import datasets",
    "import tensorflow": "import tensorflow",
}


def main() -> None:
    """Times all, prints and keeps the table."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.gettempdir()) / "groupstream-bench"
    make_version(folder, "zipf", zipf_sizes(100_000, 8_500), 512)
    os.environ["GROUPSTREAM_ROOT"] = str(folder)
    took: dict[str, list[float]] = {}
    for turn in range(TURNS):
        print(f"turn {turn + 1} of {TURNS}", file=sys.stderr)
        bare = _seconds("pass")
        for case, code in CASES.items():
            took.setdefault(case, []).append(_seconds(code) - bare)
    lines = [f"# imports\n\n{(__doc__ or '').strip()}\n\n{machine()}\n", "| what | seconds |", "|---|---|"]
    keep("imports", [*lines, *(f"| {case} | {median(seconds):.3f} |" for case, seconds in took.items())])


def _seconds(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
