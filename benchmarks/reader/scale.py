"""Does time grow in a straight line, and memory not at all? `python -m benchmarks.reader.scale [FOLDER]`.

Each version is read group by group, every feature decoded and every CRC checked, in a process of its own, three
times; the median counts (of the largest, one run). Beside it the same records with CRC checks only. Takes up to 6 GB
of disk at a time.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.reader.iterate import run_case
from benchmarks.reader.make_version import make_version, zipf_sizes
from benchmarks.reader.report import keep, machine

TURNS = 3
VERSIONS: dict[str, tuple[np.ndarray, int]] = {
    "zipf": (zipf_sizes(100_000, 8_500), 512),
    "zipf-10x": (zipf_sizes(1_000_000, 85_000), 512),
    "ones": (np.ones(850_000, np.int64), 512),
    "zipf-2k": (zipf_sizes(100_000, 8_500), 2_048),
    "zipf-20k": (zipf_sizes(100_000, 8_500), 20_480),
    "one-group": (np.array([9_700_000]), 512),
}
CASES = ("raw_blocks", "stored", "shuffled")


def main() -> None:
    """Makes each version, times it, prints and keeps the table."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.gettempdir()) / "groupstream-bench"
    os.environ["GROUPSTREAM_CACHE"] = str(folder / "cache")
    lines = [f"# scale\n\n{(__doc__ or '').strip()}\n\n{machine()}\n"]
    lines += [
        "| version | groups | examples | MB | case | seconds | MB/s | us a group | peak MB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, (sizes, example_bytes) in VERSIONS.items():
        size = _made(folder, name, sizes, example_bytes)
        for case in CASES:
            lines.append(_row(folder, name, sizes, size, case))
            print(lines[-1], file=sys.stderr)
        if size > 1 << 30:
            shutil.rmtree(folder / name)
    keep("scale", lines)


def _made(folder: Path, name: str, sizes: np.ndarray, example_bytes: int) -> int:
    """Makes the version; its bytes."""
    print(f"making {name}", file=sys.stderr)
    path = make_version(folder, name, sizes, example_bytes)
    return sum(shard.stat().st_size for shard in path.glob("*.tfrecord"))


def _row(folder: Path, name: str, sizes: np.ndarray, size: int, case: str) -> str:
    runs = [run_case(case, folder, name) for _ in range(TURNS if size < 1 << 31 else 1)]
    assert {run["examples"] for run in runs} == {sizes.sum()}
    seconds, peak = median(run["seconds"] for run in runs), max(run["peak_bytes"] for run in runs)
    per_group = seconds / len(sizes) * 1e6
    return (
        f"| {name} | {len(sizes):,} | {sizes.sum():,} | {size / 1e6:,.0f} | {case} | {seconds:.2f} "
        f"| {size / 1e6 / seconds:,.0f} | {per_group:,.1f} | {peak / 1e6:.0f} |"
    )


if __name__ == "__main__":
    main()
