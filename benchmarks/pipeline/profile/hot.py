"""One build under cProfile, in this process: `python -m benchmarks.pipeline.profile.hot ROOT SPEC` prints JSON.

The own time of each function, in groups by kind of work. What other libraries do counts where it was called from:
`numpy.fromiter` in the CRCs of records is CRC32C, the same in the index of a run is sorting. Beam is the exception:
what it calls itself counts as its own. Threads that wait are left out, and so is the one that looks at the progress.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import tempfile
import threading
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.pipeline.build import import_all
from benchmarks.pipeline.profile.found import Spot
from benchmarks.pipeline.profile.stages import build_whole

ROOT = Path(__file__).parents[3]
WAITING = "waiting"
REST = "the rest"
BEAM = "Apache Beam"
SMALL_SHARE = 0.005  # of the whole: what is less is not named
_MOST_STEPS = 50  # from a function up to one of ours

CALLED = (  # parts of the names of functions of other libraries, whoever calls them
    (WAITING, ("'acquire'", "SimpleQueue", "time.sleep", "'poll'", "select.", "_wait", "next_event")),
    ("SHA-256", ("_hashlib.HASH", "openssl_sha256")),
    ("CRC32C", ("google_crc32c",)),
    ("gunzip", ("zlib", "_gzip", "gzip.py")),
    ("disk", ("_io.BufferedWriter", "_io.FileIO", "_io.BufferedReader", "posix.fsync", "posix.pread", "fallocate")),
)
OWNERS = (  # parts of the names of functions of ours, with the file
    (WAITING, ("pipelines/progress.py read_progress",)),
    ("CRC32C", ("crc32c",)),
    ("TFRecord framing", ("tfrecord.py",)),
    ("protobuf encoding", ("examples/encoding.py",)),
    ("decoding the source", ("sources/",)),
    ("counting words", ("pipelines/words.py",)),
    ("copying into the buffer", ("pipelines/record_buffer.py",)),
    ("assigning groups", ("partitioners/", "assign_groups", "_group_numbers", "group_order.py")),
    ("sorting into runs", ("pipelines/runs.py", "pipelines/run_file.py")),
    ("merging runs", ("merge.py", "segments.py", "run_reader.py", "group_parts.py", "discard.py")),
    ("checks", ("validation/", "checks.py", "integrity.py", "verify.py", "pipelines/draft.py")),
    ("card", ("cards/", "pipelines/card.py", "pipelines/versions.py")),
    ("publishing", ("stores/", "commit.py", "claims.py")),
)

Function = tuple[str, int, str]  # file, line, name
Stats = Mapping[Function, tuple[int, int, float, float, Mapping[Function, tuple[int, int, float, float]]]]


def profiled(root: Path, spec: dict[str, Any]) -> list[Spot]:
    """Builds twice below `root`, and profiles the second."""
    profiles: list[cProfile.Profile] = []

    def begin(*_: Any) -> None:
        profiles.append(cProfile.Profile())
        profiles[-1].enable()

    threading.setprofile(begin)  # of threads that start from now on
    try:
        import_all(spec)
        with tempfile.TemporaryDirectory(dir=root) as place:
            build_whole(Path(place), spec)
        for each in profiles:
            each.clear()
        own = cProfile.Profile()
        with tempfile.TemporaryDirectory(dir=root) as place, own:
            build_whole(Path(place), spec)
    finally:
        threading.setprofile(None)
    stats = pstats.Stats(own)
    for each in profiles:
        if each.getstats():
            stats.add(each)
    return spots_of(stats.stats)  # type: ignore[attr-defined]


def spots_of(stats: Stats) -> list[Spot]:
    """Where the time was, the most first; what is small is one spot of its kind."""
    seconds: defaultdict[tuple[str, str], float] = defaultdict(float)
    for (called, owner), value in _of_owners(stats).items():
        kind = called or _kind_of(owner)
        if kind != WAITING:
            seconds[kind, owner] += value
    least = SMALL_SHARE * sum(seconds.values())
    named: defaultdict[tuple[str, str], float] = defaultdict(float)
    for (kind, place), value in seconds.items():
        named[kind, place if value >= least else "..."] += value
    ordered = sorted(named.items(), key=lambda item: -item[1])
    return [Spot(kind=kind, place=place, seconds=value) for (kind, place), value in ordered]


def _of_owners(stats: Stats) -> dict[tuple[str | None, str], float]:
    """Seconds by what was called, if that says its kind, and whose time that is.

    The time of a function of ours or of Beam is its own; that of others goes up to who called them, a step at a time,
    in proportion to the time of each one's calls.
    """
    found: defaultdict[tuple[str | None, str], float] = defaultdict(float)
    going: dict[tuple[str | None, Function], float] = {
        (_first(CALLED, _name(function)), function): own for function, (_, _, own, _, _) in stats.items()
    }
    for step in range(_MOST_STEPS):
        above: defaultdict[tuple[str | None, Function], float] = defaultdict(float)
        for (called, function), seconds in going.items():
            name = _name(function)
            callers = {} if _is_owner(name) else stats[function][4]
            weights = {caller: own if step == 0 else total for caller, (_, _, own, total) in callers.items()}
            whole = sum(weights.values())
            if not whole:
                found[called, name if _is_owner(name) else REST] += seconds
            for caller, weight in weights.items() if whole else ():
                above[called, caller] += seconds * weight / whole
        going = above
    for (called, _), seconds in going.items():  # of calls that go round in a circle
        found[called, REST] += seconds
    return found


@cache
def _name(function: Function) -> str:
    """`pipelines/merge.py merge_shard`; of what is in C, its own name."""
    file, _, name = function
    if file == "~":
        return name
    path = Path(file)
    if "site-packages" in path.parts or not path.is_relative_to(ROOT):
        return f"{BEAM} {name}" if "apache_beam" in path.parts else f"<{path.name}> {name}"
    return f"{path.relative_to(ROOT).as_posix()} {name}"


def _is_owner(name: str) -> bool:
    return name.startswith(BEAM) or (not name.startswith(("<", "{")) and "groupstream/binary.py" not in name)


def _kind_of(owner: str) -> str:
    return BEAM if owner.startswith(BEAM) else _first(OWNERS, owner) or REST


def _first(rules: tuple[tuple[str, tuple[str, ...]], ...], name: str) -> str | None:
    return next((kind for kind, parts in rules if any(part in name for part in parts)), None)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("spec", type=json.loads)
    given = parser.parse_args()
    print(json.dumps([spot.model_dump() for spot in profiled(given.root, given.spec)]))
