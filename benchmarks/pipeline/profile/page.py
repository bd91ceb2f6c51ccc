"""docs/build-profile.md, made from the JSON alone; see scripts/render_benchmarks.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import median

from benchmarks.pipeline.profile import tables
from benchmarks.pipeline.profile.figures import by_example, by_size
from benchmarks.pipeline.profile.found import WORK, Found, Point, Profile
from benchmarks.pipeline.profile.limits import FLOOR, MUST
from benchmarks.results import Result

HEAD = """\
# Where the time of a build goes

<!-- Written by scripts/render_benchmarks.py from benchmarks/pipeline/results/profile.json: change that. -->

How fast a build is, which stage takes how much of it, and what it could not be faster than.
`python -m benchmarks.pipeline.profile` measures it, `make bench-page` writes this page; [Large builds](scale.md) has
memory and disk.
"""

NOT_MEASURED = "\nNot measured in this form yet.\n"

_SPEED = """
## Speed

Whole builds, from looking at the source to the published version, without imports and without Prefect. Speeds are of
the bytes that are stored; sizes of a source are those of its values. "Few groups" are 20, "many" one for every five
examples.
"""

_STAGES = """
## Stages

Seconds, and their share of the whole. *Locate* looks at the source and takes its fingerprint. *Start* is Beam: it
makes its graph and starts its workers, until the first batch is read. *Read and spill* decodes the source, checks,
assigns groups, encodes examples, sorts and writes runs. *Merge* copies the runs into shards with their checksums. *End*
joins the tables of groups. *Check* looks at groups and files, *card* draws the cards, *publish* makes every file
durable and links it into its place.
"""

_LIMITS = """
## Limits

What the same bytes take alone, on one core and in the same turn: the speed, then how many times as long the work of a
build with one process takes (to read, spill and merge), then the whole build. All speeds are of stored bytes, so that
those of one column can be compared.
"""

_PROFILE = """
## Profile

One build with one process under cProfile. What other libraries do counts for the function of ours that called them, but
for what has a row of its own: disk, CRC32C, SHA-256, gzip. A profiler makes many small calls of Python dearer than they
are, so Beam, checks and the card seem larger here than under [Stages](#stages). "Disk" is writing and reading through
the system, which waits for the disk itself only at publishing.
"""


def page(result: Result | None, pictures: Mapping[str, str]) -> str:
    """The page in Markdown.

    Args:
        pictures: the path of each, from the page, and what it shows.
    """
    if result is None:
        return HEAD + NOT_MEASURED
    found = Found.of(result.details)
    lines = [HEAD, *_in_words(found), *_busy(result), _SPEED]
    lines += [line for path, about in pictures.items() for line in (f"![{about}]({path})", "")]
    lines += [*tables.speeds(by_size(found), tables.size_words), ""]
    lines += tables.speeds(by_example(found), tables.example_words)
    lines += [_STAGES, *tables.stages(found.points)]
    lines += [_LIMITS, *tables.limits(found.points)]
    lines += [_PROFILE, *tables.kinds(found.profiles), "", *tables.places(found.profiles)]
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    where = f"{result.date}, on {result.machine}; load {result.machine.load:g} at the end"
    lines += [f"\n`{result.command}`, {where}. {versions}."]
    return "\n".join(lines).rstrip("\n") + "\n"


def _in_words(found: Found) -> Iterator[str]:
    """What the figures say."""
    plain = [point for point in by_size(found) if (point.num_workers, point.shape.groups) == (1, "many")]
    small, large = plain[0], plain[-1]
    by_bytes = sorted(found.points, key=lambda point: point.shape.example_bytes)
    yield "## In short\n"
    yield f"- {_fixed(small, large)}"
    yield from (f"- {_work(point)}" for point in by_bytes if point.limits)
    yield from (f"- {_kinds(profile)}" for profile in found.profiles)


def _busy(result: Result) -> Iterator[str]:
    """That something else ran too, where it did."""
    if result.machine.load > result.machine.cores + 1:
        yield (
            f"\nThe machine was busy with other things: its load was {result.machine.load:g}, with "
            f"{result.machine.cores} cores. Seconds, speeds and ratios are rough; run it again on a quiet one."
        )


def _fixed(small: Point, large: Point) -> str:
    """What a build takes whatever its size, and what is left of that in a large one."""
    work, whole = median(small.seconds(WORK)), median(small.seconds())
    share = median(a / b for a, b in zip(large.seconds(WORK), large.seconds(), strict=True))
    return (
        f"A small build is its fixed cost: of {small.shape.words}, reading, spilling and merging take {work:.1f} s of "
        f"{whole:.1f} s. Of {large.shape.words} they are {share:.0%} of the time."
    )


def _work(point: Point) -> str:
    """How far the work is from what it must do at least, and what the most of that is."""
    times = tables.times_of(point, FLOOR, WORK)
    speed = point.stored_bytes / 1e6 / median(point.seconds(WORK))
    parts = {name: median(point.limits[name]) for name in point.limits if name in MUST}
    most = max(parts, key=lambda name: parts[name])
    return (
        f"{point.shape.example_words}: reading, spilling and merging do {speed:,.0f} MB/s with one process, "
        f"{times:.1f} times the seconds of what any build does at least, of which *{most}* is "
        f"{parts[most] / sum(parts.values()):.0%}."
    )


def _kinds(profile: Profile) -> str:
    """The three that take the most."""
    first = [f"{kind} {seconds / profile.seconds:.0%}" for kind, seconds in list(profile.kinds().items())[:3]]
    return f"The profile of {profile.shape.words}: {', '.join(first)}."
