"""What was found, as tables in Markdown: the same for the results file and for the page of the documentation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median

from benchmarks.numbers import three_digits
from benchmarks.pipeline.profile.figures import by_example, by_size, name_of
from benchmarks.pipeline.profile.found import STAGES, WORK, Found, Point, Profile, Shape
from benchmarks.pipeline.profile.limits import ABOUT

MOST_PLACES = 8


def tables(found: Found) -> list[str]:
    """All, each with its heading."""
    parts = [
        ("Speed over the size of the source", speeds(by_size(found), size_words)),
        ("Speed over the size of an example", speeds(by_example(found), example_words)),
        ("Stages", stages(found.points)),
        ("Against what each limit takes alone", limits(found.points)),
    ]
    if found.profiles:
        parts += [("Kinds of work", kinds(found.profiles)), ("Functions", places(found.profiles))]
    return [line for heading, lines in parts for line in (f"\n## {heading}\n", *lines)]


def table(head: Sequence[str], rows: Sequence[Sequence[str]], num_left: int = 1) -> list[str]:
    """Its lines; columns after the first ones stand to the right."""
    rule = "|---" * num_left + "|---:" * (len(head) - num_left) + "|"
    return [f"| {' | '.join(head)} |", rule, *(f"| {' | '.join(row)} |" for row in rows)]


def speeds(points: Sequence[Point], column: Callable[[Shape], str]) -> list[str]:
    """A row for each number of processes and groups, a column for each size."""
    columns = list(dict.fromkeys(column(p.shape) for p in sorted(points, key=_by_size)))
    rows = []
    for name in dict.fromkeys(map(name_of, points)):
        cells = {column(point.shape): _speed(point) for point in points if name_of(point) == name}
        rows.append([name, *(cells.get(each, "") for each in columns)])
    return table(["MB/s (examples/s)", *columns], rows)


def stages(points: Sequence[Point]) -> list[str]:
    """Seconds of each, and its share of the whole."""
    rows = [[f"{p.shape.words}, {_processes(p)}", *_stage_cells(p)] for p in points]
    return table(["source", *STAGES, "all, s"], rows)


def limits(points: Sequence[Point]) -> list[str]:
    """The speed of each alone, and how many times its seconds the work of a build takes, and all of it."""
    measured = sorted((point for point in points if point.limits), key=_by_size)
    names = [name for name in ABOUT if any(name in point.limits for point in measured)]
    rows = [[name, ABOUT[name], *(_limit(point, name) for point in measured)] for name in names]
    return table(["limit", "what", *(point.shape.example_words for point in measured)], rows, 2)


def kinds(profiles: Sequence[Profile]) -> list[str]:
    """The share of each kind of work, by what is built."""
    total: dict[str, float] = {}
    for profile in profiles:
        for kind, seconds in profile.kinds().items():
            total[kind] = total.get(kind, 0.0) + seconds / profile.seconds
    ordered = sorted(total, key=lambda kind: -total[kind])
    rows = [[kind, *(f"{p.kinds().get(kind, 0) / p.seconds:.0%}" for p in profiles)] for kind in ordered]
    whole = ["all, s under the profiler", *(three_digits(profile.seconds) for profile in profiles)]
    return table(["kind of work", *(profile.shape.example_words for profile in profiles)], [*rows, whole])


def places(profiles: Sequence[Profile]) -> list[str]:
    """The functions that took the most, by what is built."""
    rows = [
        [profile.shape.example_words, spot.kind, f"`{spot.place}`", f"{spot.seconds / profile.seconds:.1%}"]
        for profile in profiles
        for spot in [spot for spot in profile.spots if spot.place != "..."][:MOST_PLACES]
    ]
    return table(["examples of", "kind of work", "function", "share"], rows, 3)


def _stage_cells(point: Point) -> Iterator[str]:
    for stage in STAGES:
        yield f"{_rounded(median(point.stages[stage]))} ({point.share(stage):.0%})"
    yield _rounded(median(point.seconds()))


def _limit(point: Point, name: str) -> str:
    alone: Mapping[str, tuple[float, ...]] = point.limits
    if name not in alone:
        return ""
    speed = point.stored_bytes / 1e6 / median(alone[name])
    times = (times_of(point, name, stages) for stages in (WORK, STAGES))
    return f"{three_digits(speed)} MB/s: {'×, '.join(_rounded(each) for each in times)}×"


def times_of(point: Point, limit: str, stages: tuple[str, ...]) -> float:
    """How many times the seconds of a limit these stages took, in the same turn."""
    return median(ours / alone for ours, alone in zip(point.seconds(stages), point.limits[limit], strict=True))


def _speed(point: Point) -> str:
    return f"{three_digits(median(point.megabytes_a_second))} ({median(point.examples_a_second):,.0f})"


def _rounded(number: float) -> str:
    return f"{number:.2f}" if number < 10 else f"{number:,.0f}"


def _processes(point: Point) -> str:
    return name_of(point).partition(",")[0]


def _by_size(point: Point) -> tuple[float, int]:
    return point.shape.megabytes, point.shape.example_bytes


def size_words(shape: Shape) -> str:
    """Of a column."""
    return f"{shape.megabytes:,.3g} MB"


def example_words(shape: Shape) -> str:
    """Of a column."""
    return shape.example_words
