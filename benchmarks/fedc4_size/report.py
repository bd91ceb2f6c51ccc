"""What was found: figures at each size, how time grows, what one more takes, what must be kept."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from benchmarks.fedc4_size.runs import Figure, Measured
from benchmarks.formats.growth import Growth, fitted
from benchmarks.numbers import three_digits
from benchmarks.results import Case, Ratio, ratio_of

MAX_EXPONENT = 1.2  # over all sizes; a sort has 1.07
_GROWS_SECONDS = 0.05  # what takes less is lost in what is the same for every size
_GROWS = "processor time"  # which other work on the machine changes least
_UNITS = {"time": (1.0, "s"), _GROWS: (1.0, "s"), "size": (1e6, "MB"), "memory": (1e6, "MB")}


def cases_of(measured: Measured) -> Iterator[Case]:
    """The growth of time, what one more takes, and every figure at every size."""
    for figure, growth in growth_of(measured).items():
        unit = f"power of {figure.counted}"
        exponent = (growth.exponent,)
        yield Case(case=figure.name, figure="growth of time", unit=unit, values=exponent, limit=MAX_EXPONENT)
    for figure, each in one_more(measured).items():
        yield Case(
            case=figure.name, figure=f"{figure.kind} of one more", unit=f"bytes, {figure.counted}", values=(each,)
        )
    for figure, by_count in measured.values.items():
        scale, unit = _UNITS[figure.kind]
        for count, values in by_count.items():
            over = f"{figure.kind} over {figure.counted}"
            yield Case(case=figure.name, figure=over, unit=unit, values=[v / scale for v in values], at=count)


def ratios_of(measured: Measured) -> Iterator[Ratio]:
    """The processor time of the largest size in that of the one before it, which has a quarter."""
    for figure in growth_of(measured):
        few, many = sorted(measured.values[figure].items())[-2:]
        turns = min(len(few[1]), len(many[1]))
        peer = f"{few[0]:,} {figure.counted}"
        yield ratio_of(figure.name, peer, many[1][:turns], few[1][:turns], at=many[0], figure=_GROWS)


def growth_of(measured: Measured) -> dict[Figure, Growth]:
    """Of what takes long enough at the largest size."""
    found = {}
    for figure, by_count in measured.values.items():
        points = [(count, median(values)) for count, values in sorted(by_count.items())]
        if figure.kind == _GROWS and len(points) > 1 and points[-1][1] >= _GROWS_SECONDS:
            found[figure] = fitted(points)
    return found


def one_more(measured: Measured) -> dict[Figure, float]:
    """Bytes that one more takes, from the two largest sizes."""
    found = {}
    for figure, by_count in measured.values.items():
        points = [(count, median(values)) for count, values in sorted(by_count.items())][-2:]
        if _UNITS[figure.kind][1] == "MB" and len(points) == 2:
            found[figure] = (points[1][1] - points[0][1]) / (points[1][0] - points[0][0])
    return found


def tables(measured: Measured) -> Iterator[str]:
    """One for each axis."""
    growth, more = growth_of(measured), one_more(measured)
    for counted in dict.fromkeys(figure.counted for figure in measured.values):
        of_axis = {figure: found for figure, found in measured.values.items() if figure.counted == counted}
        counts = sorted({count for found in of_axis.values() for count in found})
        yield f"\n## {counted}\n"
        last = ["time grows as the power", "between the two largest", "one more takes, bytes"]
        yield f"| | | {' | '.join([*(f'{count:,}' for count in counts), *last])} |"
        yield "|---|---|" + "---:|" * (len(counts) + 3)
        for figure, by_count in sorted(of_axis.items(), key=lambda item: list(_UNITS).index(item[0].kind)):
            scale, unit = _UNITS[figure.kind]
            cells = [three_digits(median(by_count[count]) / scale) if count in by_count else "" for count in counts]
            power = growth.get(figure)
            cells += [f"{power.exponent:.2f}", f"{power.last_exponent:.2f}"] if power else ["", ""]
            cells.append(f"{more[figure]:,.1f}" if figure in more else "")
            yield f"| {figure.name} | {figure.kind}, {unit} | {' | '.join(cells)} |"
