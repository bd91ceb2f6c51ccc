"""A pull of 5 GB whose connections are cut ten times: `python -m benchmarks.pull.cuts [FOLDER] [--part 0.01]`.

A version of 80 shards is served over HTTP by another process of this machine. At ten random moments, all connections
that are open are reset (RST), whatever is on its way. The pull must not notice but by what it takes: it arrives
complete, every byte is what was published (`verify --full`), and the server sends at most 1.1 times the size. What it
sends is counted as it is handed to the system, so what was lost in buffers counts too. Beside it the same pull without
cuts. Takes 10 GB of disk.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.arguments import parser_of, results_folder
from benchmarks.machine import versions_line
from benchmarks.reader.make_version import make_version, zipf_sizes
from benchmarks.results import Case, keep, ratio_of, result_of
from groupstream.pulling.version import plan_pull
from groupstream.refs import resolve
from groupstream.testing import FolderServer

NUM_CUTS = 10
LIMIT = 1.1
EXAMPLE_BYTES = 20_480
NUM_EXAMPLES, NUM_GROUPS = 250_000, 20_000
RESULTS = Path(__file__).parent / "results"
_LIBRARIES = ("requests", "urllib3")


class Server:
    """A FolderServer in a process of its own, which hangs up when it is told to."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "benchmarks.pull.cuts", "--serve", str(folder)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = str(self._answer()["url"])

    def hang_up(self) -> int:
        """Resets all connections; how many there were."""
        return int(self._ask("cut")["connections"])

    def body_bytes(self) -> int:
        """What was sent so far."""
        return int(self._ask("count")["bytes"])

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _ask(self, what: str) -> dict[str, str]:
        assert self._process.stdin is not None
        print(what, file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> dict[str, str]:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


def serve(folder: Path) -> None:
    """What that process does, until its standard input ends."""
    with FolderServer(folder) as server:
        print(json.dumps({"url": server.url}), flush=True)
        for line in sys.stdin:
            said = {"connections": server.hang_up()} if line == "cut\n" else {"bytes": server.body_bytes}
            print(json.dumps(said), flush=True)


@dataclass(frozen=True)
class Run:
    """A pull, measured. `cuts` are the connections that were open at each cut."""

    cuts: list[int]
    size_bytes: int
    sent_bytes: int
    seconds: float


def pull_with_cuts(source: Path, to: Path, num_cuts: int, seed: int = 5) -> Run:
    """Pulls the version into `to`; the moments of the cuts are random places on the way."""
    server = Server(source)
    planned = plan_pull(resolve(f"{server.url}/cut/1.0.0"), to=to)
    size, came, progress = planned.size_bytes, [0], threading.Condition()
    moments = sorted(random.Random(seed).uniform(0.02, 0.98) * size for _ in range(num_cuts))
    cuts: list[int] = []

    def cut() -> None:
        for moment in moments:
            with progress:
                progress.wait_for(lambda moment=moment: came[0] >= moment)
            time.sleep(random.uniform(0, 0.05))
            cuts.append(server.hang_up())

    def on_bytes(count: int) -> None:
        with progress:
            came[0] += count
            progress.notify_all()

    cutter = threading.Thread(target=cut, daemon=True)
    before, begun = server.body_bytes(), time.perf_counter()
    cutter.start()
    planned.run(on_bytes)
    seconds = time.perf_counter() - begun
    cutter.join(5)
    run = Run(cuts, size, server.body_bytes() - before, seconds)
    server.close()
    return run


def main() -> None:
    """Makes the version, pulls it twice, prints and keeps the table."""
    parser = parser_of(__doc__, has_part=True)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve)
        return
    folder = given.folder / "cuts"
    os.environ["GROUPSTREAM_CACHE"] = str(folder / "cache")
    sizes = zipf_sizes(int(NUM_EXAMPLES * given.part), max(10, int(NUM_GROUPS * given.part)))
    print("making the version", file=sys.stderr)
    make_version(folder / "source", "cut", sizes, EXAMPLE_BYTES)
    runs = [pull_with_cuts(folder / "source", folder / "to", NUM_CUTS)]
    _verify(folder / "to")
    shutil.rmtree(folder / "to")
    runs.append(pull_with_cuts(folder / "source", folder / "to", 0))
    shutil.rmtree(folder)
    cases = [Case(case=_name(run), values=(run.seconds,)) for run in runs]
    ratios = [ratio_of(_name(r), "size", [r.sent_bytes], [r.size_bytes], figure="bytes", limit=LIMIT) for r in runs]
    result = result_of("pull.cuts", __doc__, _LIBRARIES, cases, ratios)
    keep(result, _table(runs), results_folder(given, RESULTS, is_whole=given.part == 1))
    assert len(runs[0].cuts) == NUM_CUTS
    assert runs[0].sent_bytes <= LIMIT * runs[0].size_bytes


def _verify(root: Path) -> None:
    """Every byte against its checksums."""
    command = "import sys; from groupstream.cli import main; sys.argv[0] = 'groupstream'; main()"
    arguments = ["verify", "cut@1.0.0", "--full", "--root", str(root)]
    subprocess.run([sys.executable, "-c", command, *arguments], check=True)


def _name(run: Run) -> str:
    return f"sent with {len(run.cuts)} cuts"


def _table(runs: Sequence[Run]) -> list[str]:
    lines = [f"# cuts\n\n{(__doc__ or '').strip()}\n\n{versions_line(_LIBRARIES)}\n"]
    lines += [
        "| cuts | connections that each reset | GB | sent / size | limit | seconds | MB/s |",
        "|---|---|---|---|---|---|---|",
    ]
    for run in runs:
        lines.append(
            f"| {len(run.cuts)} | {', '.join(map(str, run.cuts))} | {run.size_bytes / 1e9:.2f} | "
            f"{run.sent_bytes / run.size_bytes:.4f} | {LIMIT} | {run.seconds:.1f} | "
            f"{run.size_bytes / 1e6 / run.seconds:,.0f} |"
        )
    return lines


if __name__ == "__main__":
    main()
