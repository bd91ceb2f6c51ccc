"""Figures and ratios of what was found."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.pipeline.profile.found import WORK, Found, Point
from benchmarks.results import Case, Ratio, ratio_of

BY_SIZE = "speed by size"
BY_EXAMPLE = "speed by size of an example"


def name_of(point: Point) -> str:
    """Of a line in a picture."""
    processes = "1 process" if point.num_workers == 1 else f"{point.num_workers} processes"
    return f"{processes}, {point.shape.groups} groups"


def by_size(found: Found) -> list[Point]:
    """Sources of 1 KB examples, of all sizes."""
    return [point for point in found.points if point.shape.kind == "parquet" and point.shape.example_bytes == 1_000]


def by_example(found: Found) -> list[Point]:
    """Sources of the middle size, of all sizes of examples."""
    sizes = sorted({point.shape.megabytes for point in found.points})
    middle = sizes[len(sizes) // 2]
    return [point for point in found.points if point.shape.kind == "parquet" and point.shape.megabytes == middle]


def cases_of(found: Found) -> Iterator[Case]:
    """Speeds over the number of examples, and over their size."""
    for point in by_size(found):
        yield from _speeds(point, BY_SIZE, point.num_examples)
    for point in by_example(found):
        yield from _speeds(point, BY_EXAMPLE, point.shape.example_bytes)
    for point in found.points:
        if point.shape.kind == "jsonl":
            yield from _speeds(point, "speed", None)


def _speeds(point: Point, figure: str, at: float | None) -> Iterator[Case]:
    case = name_of(point) if at is not None else f"{point.shape.words}, {name_of(point).partition(',')[0]}"
    megabytes, examples = point.megabytes_a_second, point.examples_a_second
    yield Case(case=case, figure=figure, unit="MB/s", values=megabytes, better="higher", at=at)
    more = figure.replace("speed", "examples", 1)
    yield Case(case=case, figure=more, unit="examples/s", values=examples, better="higher", at=at)


def ratios_of(found: Found) -> Iterator[Ratio]:
    """To each limit, of the whole and of its work: to read, spill and merge; and of two processes to one."""
    for point in found.points:
        for limit, alone in point.limits.items():
            kind = " of JSON" if point.shape.kind == "jsonl" else ""
            at = point.shape.example_bytes
            yield ratio_of(f"work{kind}", limit, point.seconds(WORK), alone, at=at)
            if kind or point in by_size(found):  # the others differ only where the work does
                yield ratio_of(f"whole build{kind}", limit, point.seconds(), alone, at=at)
    for one in found.points:
        for two in found.points:
            if one.shape == two.shape and (one.num_workers, two.num_workers) == (1, 2) and one in by_size(found):
                case, peer = f"2 processes, {one.shape.groups} groups", "1 process"
                yield ratio_of(case, peer, two.seconds(), one.seconds(), at=one.num_examples)
