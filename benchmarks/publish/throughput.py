"""Publish and pull against Google's transfer manager: `python -m benchmarks.publish.throughput /dev/shm [--part 0.1]`.

A version of 2 GiB in shards of 64, 128 and 256 MiB, and one of 2,000 files of 20 KB, are written to a server of this
machine and read from it: by `commit_version` and `pull`, and by `transfer_manager` of google-cloud-storage with 8
workers as threads and as processes (for pulls of large files also in ranges). The server has a process of its own and
holds objects in memory. Nothing waits for a network, and with files in memory nothing for a disk, so all is the cost
of the programs, and of the server, which is the same for all: it is Python, but copies hardly a byte. In turns, in one
run; the ratio is that of each turn, over the fastest peer of that turn, so that what else the machine does counts for
both. On a disk, ours waits until each file is durable, and peers do not. Takes 7 GB.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.arguments import parser_of, results_folder
from benchmarks.machine import versions_line
from benchmarks.results import Case as Figure
from benchmarks.results import Ratio, keep, result_of
from groupstream.commit import commit_version, describe_file
from groupstream.manifest import Counts, Manifest
from groupstream.pulling.version import plan_pull
from groupstream.refs import Location
from groupstream.stores import GcsStore

RESULTS = Path(__file__).parent / "results"
LARGE = [256 << 20] * 4 + [128 << 20] * 4 + [64 << 20] * 8
SMALL = [20_000] * 2_000
TURNS = 3
WORKERS = 8
LEAST = 0.9
_LIBRARIES = ("google-cloud-storage", "requests", "google-crc32c")

Seconds = dict[str, list[float]]  # by program, of each turn


def main() -> None:
    """Makes the files, measures in turns, prints the tables, and keeps them unless a part was asked for."""
    parser = parser_of(__doc__, has_part=True)
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--only", default="", help="of the cases: large or small, publish or pull")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    lines = [f"# throughput\n\n{(__doc__ or '').strip()}\n\n{versions_line(_LIBRARIES)}\n"]
    figures, ratios = [], []
    with tempfile.TemporaryDirectory(dir=given.folder) as place, serving():
        for name, sizes in {"large": LARGE, "small": SMALL}.items():
            sizes = sizes[: max(1, round(len(sizes) * given.part))]
            case = Case(Path(place) / name, sizes)
            for direction, programs in {"publish": case.publishers(), "pull": case.pullers()}.items():
                if given.only in f"{direction} {name}":
                    seconds = measure(programs, given.turns)
                    title = f"{direction}, {name} files"
                    figures += figures_of(title, sum(sizes), seconds)
                    ratios.append(ratio_to_fastest(title, seconds))
                    lines += table(title, sum(sizes), seconds)
                    print("\n".join(lines[-len(seconds) - 5 :]), flush=True)
    result = result_of("publish.throughput", __doc__, _LIBRARIES, figures, ratios)
    keep(result, lines, results_folder(given, RESULTS, is_whole=given.part == 1 and not given.only))


@contextmanager
def serving() -> Iterator[None]:
    """The server, and the variable that leads to it."""
    command = [sys.executable, "-m", "benchmarks.publish.gcs_in_memory"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin
        assert server.stdout
        os.environ["STORAGE_EMULATOR_HOST"] = server.stdout.readline().strip()
        yield
        server.stdin.close()


def forget() -> None:
    """Empties the bucket."""
    urllib.request.urlopen(f"{os.environ['STORAGE_EMULATOR_HOST']}/forget").read()


class Case:
    """Files of these sizes, and the programs that write and read them. Each program begins with no target."""

    def __init__(self, folder: Path, sizes: list[int]) -> None:
        self.source = folder / "source"
        self.target = folder / "target"
        self.source.mkdir(parents=True)
        names = [f"{number:05d}.tfrecord" for number in range(len(sizes))]
        block = random.Random(1).randbytes(1 << 20)
        for name, size in zip(names, sizes, strict=True):
            with open(self.source / name, "wb") as file:
                for start in range(0, size, 1 << 20):
                    file.write(block[: min(size - start, 1 << 20)])
        self.names = names
        self.is_large = sizes[0] > 1 << 20
        self.manifest = Manifest(
            name="made",
            version="1.0.0",
            group_feature="group_id",
            counts=Counts(examples_in=0, examples_out=0),
            files=tuple(describe_file(name, self.source / name) for name in names),
            digest="0" * 64,
            spec={},
            source={},
            code={},
            seed=0,
            features={},
            splits={},
        )
        self.store = GcsStore("gs://bucket")

    def publishers(self) -> dict[str, Callable[[], None]]:
        """By name; the bucket is empty when they begin."""
        return {
            "groupstream": lambda: self._empty(self._publish),
            "upload_many, threads": lambda: self._empty(lambda: self._upload_many("thread")),
            "upload_many, processes": lambda: self._empty(lambda: self._upload_many("process")),
        }

    def pullers(self) -> dict[str, Callable[[], None]]:
        """By name; the version is in the bucket, and nothing is on the disk when they begin."""
        programs: dict[str, Callable[[], None]] = {
            "groupstream": self._pull,
            "download_many, threads": lambda: self._download_many("thread"),
            "download_many, processes": lambda: self._download_many("process"),
        }
        if self.is_large:
            programs["download_chunks_concurrently, threads"] = lambda: self._download_chunks("thread")
            programs["download_chunks_concurrently, processes"] = lambda: self._download_chunks("process")
        forget()
        self._publish()
        return {name: lambda program=program: self._emptied(program) for name, program in programs.items()}

    def _empty(self, program: Callable[[], None]) -> float:
        forget()
        return timed(program)

    def _emptied(self, program: Callable[[], None]) -> float:
        if not self.store.size_bytes("made/1.0.0/manifest.json"):
            self._publish()
        shutil.rmtree(self.target, ignore_errors=True)
        self.target.mkdir()
        seconds = timed(program)
        assert sum(path.name in set(self.names) for path in self.target.rglob("*")) == len(self.names)
        shutil.rmtree(self.target)
        return seconds

    def _publish(self) -> None:
        commit_version(self.store, "made/1.0.0", self.manifest, {name: self.source / name for name in self.names})

    def _pull(self) -> None:
        plan_pull(Location(self.store, "made/1.0.0"), None, self.target).run()

    def _upload_many(self, worker_type: str) -> None:
        from google.cloud.storage import transfer_manager

        pairs = [(str(self.source / name), self._blob(name)) for name in self.names]
        done = transfer_manager.upload_many(
            pairs, skip_if_exists=True, worker_type=worker_type, max_workers=WORKERS, raise_exception=True
        )
        assert len(done) == len(pairs)

    def _download_many(self, worker_type: str) -> None:
        from google.cloud.storage import transfer_manager

        pairs = [(self._blob(name), str(self.target / name)) for name in self.names]
        transfer_manager.download_many(pairs, worker_type=worker_type, max_workers=WORKERS, raise_exception=True)

    def _download_chunks(self, worker_type: str) -> None:
        from google.cloud.storage import transfer_manager

        for name in self.names:
            transfer_manager.download_chunks_concurrently(
                self._blob(name), str(self.target / name), worker_type=worker_type, max_workers=WORKERS
            )

    def _blob(self, name: str) -> Any:
        from google.cloud import storage
        from requests.adapters import HTTPAdapter

        if not hasattr(self, "_client"):
            self._client = storage.Client.create_anonymous_client()
            self._client._http.mount("http://", HTTPAdapter(pool_maxsize=64))  # as Google advises for many threads
        return self._client.bucket("bucket").blob(f"made/1.0.0/{name}")


def timed(program: Callable[[], None]) -> float:
    """Seconds."""
    begun = time.perf_counter()
    program()
    return time.perf_counter() - begun


def measure(programs: dict[str, Any], turns: int) -> Seconds:
    """One turn that does not count, then in turns, each time beginning with another one."""
    seconds: Seconds = {name: [] for name in programs}
    order = list(programs)
    for turn in range(-1, turns):
        for name in order:
            took = programs[name]()
            if turn >= 0:
                seconds[name].append(took)
        order = order[1:] + order[:1]
    return seconds


def figures_of(case: str, num_bytes: int, seconds: Seconds) -> list[Figure]:
    """The speed of each program in each turn."""
    return [
        Figure(
            case=f"{name}: {case}",
            figure="speed",
            unit="MB/s",
            values=tuple(num_bytes / 1e6 / each for each in times),
            better="higher",
        )
        for name, times in seconds.items()
    ]


def ratio_to_fastest(case: str, seconds: Seconds) -> Ratio:
    """Our speed to that of the fastest peer of each turn."""
    peers = [times for name, times in seconds.items() if name != "groupstream"]
    values = tuple(min(each) / ours for ours, *each in zip(seconds["groupstream"], *peers, strict=True))
    named = {"case": f"groupstream: {case}", "peer": "the fastest", "figure": "speed"}
    return Ratio(**named, values=values, limit=LEAST, better="higher")


def table(case: str, num_bytes: int, seconds: Seconds) -> list[str]:
    """The speed of each, and the ratio to the fastest peer of each turn."""
    ratio = ratio_to_fastest(case, seconds)
    kept = "kept" if ratio.is_kept else "MISSED"
    return [
        f"| {case} | MB/s, median | least | most |",
        "|---|---|---|---|",
        *(f"| {name} | {_speeds(num_bytes, times)} |" for name, times in seconds.items()),
        f"| **ratio to the fastest** | **{ratio.median:.2f}** ({kept}: {LEAST}) | {min(ratio.values):.2f} "
        f"| {max(ratio.values):.2f} |",
        "",
    ]


def _speeds(num_bytes: int, times: list[float]) -> str:
    return " | ".join(f"{num_bytes / 1e6 / each:,.0f}" for each in (median(times), max(times), min(times)))


if __name__ == "__main__":
    main()
