"""docs/fedc4-size.md, made from the JSON alone; see scripts/render_benchmarks.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.numbers import three_digits
from benchmarks.results import Case, Result

HEAD = """\
# A version as large as FedC4, tried

<!-- Written by scripts/render_benchmarks.py from benchmarks/fedc4_size/results/fedc4_size.json: change that. -->

[FedC4, worked out](fedc4.md) says what building it would need on a cluster. This page says what its size does to
everything that sees all groups at once on one machine: the index, the reader, the checks, the card, the registry and
the catalog. The version is made up: 15.6 million groups with ids like domains and sizes as skewed, in 1,024 shards of
which no byte is there. `python -m benchmarks.fedc4_size FOLDER` makes it and measures, each case in a process of its
own, at a sixteenth, at a quarter and whole. `make bench-page` writes this page.
"""

_COLUMNS = """
Seconds are the processor's, at the whole size. The power says how they grow: 1 is as the number does, and nothing may
have more than 1.2; what takes less than 0.05 s has none. The last column is what one more takes of memory, from the
two larger sizes.
"""

_MAPPED = """
*Mapped*: the index in the cache is a file that the system shows as memory, shared by all processes, and drops when it
needs the room. What is beside it is the process's own. Opening a version is not free at this size: each process reads
the index once to check it.
"""

_REGISTRY = """
Nothing in the platform asks for the versions of all datasets at once.
"""

_CATALOG = """
A catalog is read and written whole, and copied whole to the registry, with each version that is published. So a
publication takes as long as the dataset has versions, and all publications of a dataset together as the square: with
a hundred versions nothing that can be noticed. [Retention](retention.md) keeps their number small. Making a lost
catalog anew, which [the doctor](doctor.md) does, adds one version after the other and takes the square as well.
"""


class Row(NamedTuple):
    """What is said of one thing.

    Attributes:
        timed: the case of its time.
        sized: the case of what it leaves, if it leaves something.
        held: the case of its memory; that of a mapped file is not counted where `is_own`.
    """

    about: str
    timed: str
    sized: str | None = None
    held: str | None = None
    is_own: bool = False


class Axis(NamedTuple):
    """What there are more and more of, and all that is said of it."""

    counted: str
    title: str
    rows: tuple[Row, ...]
    after: str = ""


AXES = (
    Axis(
        "groups",
        "By the number of groups",
        (
            Row(
                "the index: the tables of all shards joined, where the build was started",
                "join the index",
                "index on disk",
                "join the index",
            ),
            Row("the index described", "describe the index"),
            Row(
                "a look-up, the first on a machine: the index is checked and copied to the cache",
                "look up, first on a machine",
                "index in the cache",
            ),
            Row("a look-up by a process that opens the version", "look up, opened fresh", None, "look-ups", True),
            Row("each next look-up", "look up, each next one"),
            Row("stored order, to the first group", "stored order, to the first group", None, "stored order", True),
            Row("shuffled, to the first group", "shuffled, to the first group", None, "shuffled", True),
            Row(
                "filtered and shuffled, to the first group",
                "filtered and shuffled, to the first group",
                None,
                "filtered and shuffled",
                True,
            ),
            Row("a cohort, all groups equally likely", "cohorts uniform, to the first", None, "cohorts uniform", True),
            Row("each next one", "cohorts uniform, each next one"),
            Row("a cohort, groups by their sizes", "cohorts by_size, to the first", None, "cohorts by_size", True),
            Row("each next one", "cohorts by_size, each next one"),
            Row("the state of a stream", "shuffled, its state"),
            Row("checks of groups", "checks of groups", None, "checks of groups"),
            Row("drift from a version of the same seed", "drift, same seed", None, "drift, same seed"),
            Row("drift from a version of another seed", "drift, another seed", None, "drift, another seed"),
            Row("the dataset card", "dataset card", "dataset card", "dataset card"),
        ),
        _MAPPED,
    ),
    Axis(
        "shards",
        "By the number of shards",
        (
            Row("the manifest, written", "manifest, written", "manifest", "manifest, written"),
            Row("the metadata of TFDS, written", "metadata of TFDS, written"),
            Row("a version, opened", "manifest, opened", None, "manifest, opened"),
            Row("what a look-up needs of the shards, prepared once", "readers of the shards, each"),
        ),
    ),
    Axis(
        "versions in the registry",
        "By the number of versions in a registry, and as many runs, in SQLite",
        (
            Row("record a version", "record a version", "registry on disk"),
            Row("record a run", "record a run"),
            Row("the newest 50 runs of a root", "the newest 50 runs"),
            Row("the newest 50 runs of one of 100 datasets", "the newest 50 runs of a dataset"),
            Row("where a version comes from, with a hundredth of the runs that read it", "where a version comes from"),
            Row("when the versions of a dataset were used last", "when versions were used last"),
            Row("a hundredth of the versions: those of a dataset", "all versions of a dataset"),
            Row("the runs that never ended, of all", "the runs that never ended"),
            Row(
                "all versions of all datasets, as values",
                "all versions of all datasets",
                None,
                "all versions of all datasets",
            ),
        ),
        _REGISTRY,
    ),
    Axis(
        "versions of one dataset",
        "By the number of versions of one dataset",
        (
            Row("which versions are published, as each build asks", "which versions are published"),
            Row("read the catalog", "read the catalog", "catalog.json"),
            Row("add a version to the catalog", "add a version to the catalog"),
            Row("copy the catalog to the registry", "copy the catalog to the registry"),
            Row("the catalog page", "catalog page", "catalog page"),
        ),
        _CATALOG,
    ),
)


def page(result: Result) -> str:
    """The page in Markdown."""
    found = _Found(result)
    lines = [HEAD.rstrip("\n"), _COLUMNS.rstrip("\n")]
    for axis in AXES:
        lines += list(_section(found, axis))
    where = f"{result.date}, on {result.machine}; load {result.machine.load:g} at the end"
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    return "\n".join([*lines, f"\n`{result.command}`, {where}. {versions}."]) + "\n"


class _Found:
    """The cases of a result, by figure and name."""

    def __init__(self, result: Result) -> None:
        self._cases = {(each.figure, each.case, each.at): each for each in result.cases}
        self._sizes: dict[tuple[str, str], float] = {}
        for each in result.cases:
            if each.at is not None:
                key = each.figure, each.case
                self._sizes[key] = max(each.at, self._sizes.get(key, 0))

    def largest(self, figure: str, name: str) -> Case | None:
        """A case at its largest size."""
        return self._cases.get((figure, name, self._sizes.get((figure, name))))

    def one(self, figure: str, name: str) -> Case | None:
        """A case without a size."""
        return self._cases.get((figure, name, None))

    def sizes(self, counted: str) -> list[float]:
        """All of an axis."""
        return sorted({at for figure, _, at in self._cases if at is not None and figure.endswith(f" over {counted}")})


def _section(found: _Found, axis: Axis) -> Iterator[str]:
    sizes = [f"{size:,.0f}" for size in found.sizes(axis.counted)]
    if not sizes:
        return
    yield f"\n## {axis.title}: {', '.join(sizes[:-1])} and {sizes[-1]}\n"
    yield "| What | Takes | Power | It leaves | Memory of one more |"
    yield "|---|---:|---:|---:|---:|"
    for row in axis.rows:
        if found.largest(f"processor time over {axis.counted}", row.timed) is not None:
            yield f"| {row.about} | {' | '.join(_cells(found, axis.counted, row))} |"
    if axis.after:
        yield axis.after.rstrip("\n")


def _cells(found: _Found, counted: str, row: Row) -> Iterator[str]:
    seconds = found.largest(f"processor time over {counted}", row.timed)
    power = found.one("growth of time", row.timed)
    size = found.largest(f"size over {counted}", row.sized) if row.sized else None
    each = found.one("size of one more", row.sized) if row.sized else None
    name = f"{row.held}, own memory" if row.is_own else row.held
    held = found.one("size of one more" if row.is_own else "memory of one more", name) if name else None
    yield _time(seconds.median) if seconds else ""
    yield f"{power.median:.2f}" if power else ""
    yield f"{_bytes(size.median * 1e6)}, {_of_each(each.median)}" if size and each else ""
    yield f"{'mapped; ' if row.is_own else ''}{_bytes(max(0, held.median))}" if held else ""


def _time(seconds: float) -> str:
    for unit, scale in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{_short(seconds / scale)} {unit}"
    return f"{_short(seconds / 1e-6)} µs"


def _bytes(number: float) -> str:
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= scale:
            return f"{_short(number / scale)} {unit}"
    return f"{number:.0f} byte{'' if round(number) == 1 else 's'}"


def _of_each(number: float) -> str:
    return f"{_bytes(number)} each" if number >= 0.5 else "whatever the number"


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else three_digits(number)
