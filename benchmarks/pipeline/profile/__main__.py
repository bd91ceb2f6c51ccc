"""Where does the time of a build go, and what is the limit? `python -m benchmarks.pipeline.profile [FOLDER]`.

Whole builds, from looking at the source to the published version, of Parquet files of a key and a text, and of web
pages as lines of JSON in gzip. In a grid: three sizes of the source, four sizes of an example, few groups and many, one
process and two. In the same turn, on the same bytes: what the disk, checksums, a copy in memory, Arrow and a Python
`for` take alone. Then one build of some of them under cProfile. Imports are not timed, and the first build of all does
not count. Speeds are of the bytes that are stored. Takes about 4 GB of disk.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.arguments import parser_of, results_folder
from benchmarks.pipeline.build import import_all
from benchmarks.pipeline.profile import limits
from benchmarks.pipeline.profile.figures import cases_of, ratios_of
from benchmarks.pipeline.profile.found import Found, Point, Profile, Shape, Spot
from benchmarks.pipeline.profile.sources import grid, make_spec
from benchmarks.pipeline.profile.stages import Built, build_whole
from benchmarks.pipeline.profile.tables import tables
from benchmarks.pipeline.report import LIBRARIES, RESULTS, machine
from benchmarks.results import NotMeasured, keep, result_of

MEGABYTES = 1_000
TURNS = 3
WORKERS = (1, 2)


def main() -> None:
    """Measures, prints and keeps."""
    parser = parser_of(__doc__)
    parser.add_argument("--mb", type=float, default=MEGABYTES, help="of the largest source")
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument(
        "--one", action="store_true", help="only --mb of 1 KB examples in many groups, one process, no disk, no profile"
    )
    given = parser.parse_args()
    shapes = [Shape(megabytes=given.mb)] if given.one else grid(given.mb)
    sources = given.folder / "profile-sources"
    sources.mkdir(parents=True, exist_ok=True)
    try:
        builds = Builds(shapes, WORKERS[:1] if given.one else WORKERS, given.folder, has_disk=not given.one)
        for turn in range(given.turns):
            _say(f"turn {turn + 1} of {given.turns}")
            builds.run()
        profiles = () if given.one else tuple(_profile(shape, given.folder) for shape in profiled(shapes))
    finally:
        shutil.rmtree(sources)
    found = Found(points=builds.points(), profiles=profiles)
    skipped = [NotMeasured(what=limit, why="a short run leaves the disk alone") for limit in limits.DISK if given.one]
    result = result_of(
        "pipeline.profile", __doc__, LIBRARIES, cases_of(found), ratios_of(found), skipped, details=found.model_dump()
    )
    lines = [f"# profile\n\n{result.about}\n\n{machine()}", *tables(found)]
    is_whole = not given.one and given.mb == MEGABYTES and given.turns >= TURNS
    keep(result, lines, results_folder(given, RESULTS, is_whole))


def profiled(shapes: Sequence[Shape]) -> list[Shape]:
    """Those that get a profile: at the middle size, in many groups."""
    chosen = [shape for shape in shapes if is_middle(shape, shapes) and shape.groups == "many"]
    return sorted(chosen, key=lambda shape: shape.example_bytes)


def is_middle(shape: Shape, shapes: Sequence[Shape]) -> bool:
    """Whether other sizes of examples are compared at this size of a source."""
    sizes = sorted({each.megabytes for each in shapes})
    return shape.megabytes == sizes[len(sizes) // 2]


class Builds:
    """All builds of a turn, and what they took so far."""

    def __init__(self, shapes: Sequence[Shape], workers: Sequence[int], folder: Path, *, has_disk: bool) -> None:
        self._shapes = shapes
        self._cells = [(shape, number) for shape in shapes for number in workers]
        self._folder = folder
        self._has_disk = has_disk
        self._stages: dict[tuple[Shape, int], list[Built]] = defaultdict(list)
        self._limits: dict[tuple[Shape, int], list[dict[str, float]]] = defaultdict(list)
        for number in workers:
            spec = self._spec(Shape(megabytes=1), number)
            import_all(spec)
            self._build((Shape(megabytes=1), number), spec)
        self._stages.clear()
        self._limits.clear()

    def run(self) -> None:
        """One turn."""
        for cell in self._cells:
            _say(f"  {cell[0].words}, processes: {cell[1]}")
            self._build(cell, self._spec(*cell))

    def points(self) -> tuple[Point, ...]:
        """What was found."""
        return tuple(self._point(cell) for cell in self._cells)

    def _spec(self, shape: Shape, num_workers: int) -> dict[str, Any]:
        return make_spec(shape, self._folder / "profile-sources", num_workers)

    def _build(self, cell: tuple[Shape, int], spec: dict[str, Any]) -> None:
        with tempfile.TemporaryDirectory(dir=self._folder) as root:
            os.sync()  # what was written before is not written while this one runs
            built = build_whole(Path(root), spec)
            self._stages[cell].append(built)
            if cell[1] == 1 and cell[0] in profiled(self._shapes):
                paths = spec["source"]["paths"]
                self._limits[cell].append(limits.measure(paths, built.shards, self._folder, has_disk=self._has_disk))

    def _point(self, cell: tuple[Shape, int]) -> Point:
        turns, alone = self._stages[cell], self._limits[cell]
        return Point(
            shape=cell[0],
            num_workers=cell[1],
            num_examples=turns[0].num_examples,
            num_groups=turns[0].num_groups,
            stored_bytes=turns[0].stored_bytes,
            stages={stage: tuple(turn.seconds[stage] for turn in turns) for stage in turns[0].seconds},
            limits={name: tuple(turn[name] for turn in alone) for name in (alone[0] if alone else ())},
        )


def _profile(shape: Shape, folder: Path) -> Profile:
    """In a process of its own."""
    _say(f"profile: {shape.words}")
    spec = json.dumps(make_spec(shape, folder / "profile-sources", 1))
    with tempfile.TemporaryDirectory(dir=folder) as root:
        command = [sys.executable, "-m", "benchmarks.pipeline.profile.hot", root, spec]
        printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    spots = json.loads(printed.splitlines()[-1])
    return Profile(shape=shape, spots=tuple(map(Spot.model_validate, spots)))


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
