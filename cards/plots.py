"""The histogram of the sizes of groups."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from cards.ink import STAND_INS, Inks, drawing, inline_svg
from cards.text import format_count

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

BINS_PER_DECADE = 5
LINEAR_BINS = 24


def draw_group_sizes(
    sizes: Ints, marks: Mapping[str, int], width_inches: float, name: str, unit: str = "examples"
) -> Markup:
    """A histogram of the examples per group, as an element of a page.

    Args:
        sizes: examples of each group; at least one group.
        marks: what to mark on it, such as {"10 %": 1, "max": 90}.
        width_inches: of the drawing; its text is 10 points high, so draw it as wide as it will be seen.
        name: of the picture, unlike any other on the page.
        unit: what sizes count, if not examples.
    """
    described = ", ".join(f"{mark} {format_count(value)}" for mark, value in marks.items())
    with drawing(name):
        figure = size_histogram(sizes, marks, width_inches, STAND_INS, unit)
        return inline_svg(figure, name, f"Histogram of {unit} per group: {described}")


def bin_edges(sizes: Ints) -> Floats:
    """The edges of the bars: halfway between whole numbers, so that it is clear what each bar holds.

    Sizes within a factor of ten get bars of equal width, others bars of (nearly) equal ratio: five to a
    decade (1, 2, 3, 4-5, 6-9, 10-15 ...), which is as fine as whole numbers allow without a comb. They are
    the same for every data set, so that two pictures can be compared.
    """
    low, end = int(sizes.min()), int(sizes.max()) + 1
    if not is_logarithmic(sizes):
        width = -(-(end - low) // LINEAR_BINS)
        return np.arange(low, end + width, width, dtype=np.float64) - 0.5
    last = math.ceil(BINS_PER_DECADE * math.log10(end)) + 1
    every = np.round(10 ** (np.arange(last + 1) / BINS_PER_DECADE))
    edges = every[np.searchsorted(every, low, "right") - 1 : np.searchsorted(every, end) + 1] - 0.5
    edges[0] = max(edges[0], 1 / 1.5)  # so that size 1 stands in the middle of its bar
    return edges


def is_logarithmic(sizes: Ints) -> bool:
    """Whether the sizes span more than a factor of ten."""
    return int(sizes.max()) > 10 * int(sizes.min())


def size_histogram(
    sizes: Ints, marks: Mapping[str, int], width_inches: float, inks: Inks, unit: str = "examples"
) -> Figure:
    """A histogram of the examples per group; see `draw_group_sizes`."""
    from matplotlib.figure import Figure

    sizes = np.maximum(sizes, 1)
    figure = Figure(figsize=(width_inches, 3.0), facecolor=inks.paper)
    left, width = 0.7 / width_inches, 1 - 0.85 / width_inches
    axes = figure.add_axes((left, 0.18, width, 0.7), facecolor="none")
    edges = bin_edges(sizes)
    counts, _ = np.histogram(sizes, edges)
    axes.bar(
        edges[:-1], counts, np.diff(edges), align="edge", color=(inks.accent, 0.7), edgecolor=inks.paper, linewidth=0.7
    )
    _set_scales(axes, is_logarithmic(sizes), float(edges[0]), float(edges[-1]))
    style_axes(axes, inks, f"{unit} per group", "groups")
    num_rows = _draw_marks(axes, marks, width_inches, inks)
    axes.set_position((left, 0.18, width, 0.81 - 0.07 * num_rows))
    return figure


def _set_scales(axes: Axes, logarithmic: bool, low: float, high: float) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    if logarithmic:
        axes.set_xscale("log")
        axes.set_xlim(low / 1.05, high * 1.05)
        axes.xaxis.set_major_locator(LogLocator(10, numticks=9))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        pad = max(0.03 * (high - low), 2.5 if high - low < 2 else 0)
        axes.set_xlim(max(0.0, low - pad), high + pad)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    digits = FuncFormatter(lambda value, _: tick_label(round(value)))
    axes.xaxis.set_major_formatter(digits)
    axes.yaxis.set_major_formatter(digits)


def tick_label(value: int) -> str:
    """A number beside an axis.

    >>> tick_label(9_999), tick_label(20_000), tick_label(3_000_000)
    ('9,999', '20k', '3M')
    """
    if value < 10_000:
        return format_count(value)
    return f"{value / 10**6:g}M" if value >= 10**6 else f"{value / 1000:g}k"


def style_axes(axes: Axes, inks: Inks, across: str, up: str) -> None:
    """Quiet axes with these names."""
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(inks.quiet)
    axes.tick_params(length=0, pad=6, labelsize=10, labelcolor=inks.quiet)
    axes.grid(axis="y", color=inks.line, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_xlabel(across, color=inks.quiet, fontsize=10, labelpad=6)
    axes.set_ylabel(up, color=inks.quiet, fontsize=10, labelpad=6)


def _draw_marks(axes: Axes, marks: Mapping[str, int], width_inches: float, inks: Inks) -> int:
    """A line at each mark and its name above, on the lowest row where it has room. Returns the rows used."""
    row_ends = [-1.0] * 4  # in parts of the width
    for value, label in _merged(marks).items():
        x = float(axes.transAxes.inverted().transform(axes.transData.transform((value, 0)))[0])
        width = (0.085 * len(label) + 0.2) / width_inches
        start = min(max(0.0, x - width / 2), 1 - width)
        row = next((i for i, end in enumerate(row_ends) if start >= end), len(row_ends) - 1)
        row_ends[row] = start + width
        y = 1.05 + 0.085 * row
        axes.plot([x, x], [0, y - 0.01], transform=axes.transAxes, color=inks.ink, lw=1, ls=(0, (3, 2)), clip_on=False)
        axes.text(start + width / 2, y, label, transform=axes.transAxes, color=inks.ink, fontsize=10, ha="center")
    return sum(end >= 0 for end in row_ends)


def _merged(marks: Mapping[str, int]) -> dict[int, str]:
    """Marks at one place share a label: {"10 %": 1, "50 %": 1} is {1: "10 %, 50 %: 1"}."""
    if len(set(marks.values())) == 1 and len(marks) > 1:
        return {value: f"all: {format_count(value)}" for value in marks.values()}
    names: dict[int, list[str]] = {}
    for name, value in marks.items():
        names.setdefault(value, []).append(name)
    return {value: f"{', '.join(same)}: {format_count(value)}" for value, same in sorted(names.items())}
