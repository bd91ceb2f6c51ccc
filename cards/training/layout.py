"""What pictures of a report have in common: their size, their axes, and the key above."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cards.plots import style_axes
from cards.training.inks import INKS
from groupstream.label_skew import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

WIDTH_INCHES = 4.4  # two beside each other on a desk, one on a phone
_LEFT, _RIGHT, _BOTTOM, _TOP = 0.78, 0.2, 0.58, 0.12  # inches
_ROW = 0.22  # inches, of a key
_SAMPLE, _GAP, _CHARACTER = 0.34, 0.2, 0.083  # inches
_MANY_TIMES = 10


class Entry(NamedTuple):
    """A line of the key: how it is drawn, and what it is."""

    look: dict
    words: str


def new_axes(height: float, entries: Sequence[Entry], note: str = "") -> tuple[Figure, Axes]:
    """A figure, and its axes below the key.

    Args:
        height: of the axes, in inches.
        entries: of the key.
        note: a line above all, which the picture must not be seen without.
    """
    from matplotlib.figure import Figure

    places = list(_placed(entries))
    num_rows = (places[-1][0] + 1 if places else 0) + bool(note)
    whole = _BOTTOM + height + _TOP + _ROW * num_rows
    figure = Figure(figsize=(WIDTH_INCHES, whole), facecolor=INKS.paper)
    axes = figure.add_axes(
        (_LEFT / WIDTH_INCHES, _BOTTOM / whole, 1 - (_LEFT + _RIGHT) / WIDTH_INCHES, height / whole), facecolor="none"
    )
    if note:
        _write(figure, 0.02, whole - _ROW / 2, note)
    for (row, x), entry in zip(places, entries, strict=True):
        _draw_entry(figure, x, whole - _ROW * (row + bool(note) + 0.5), entry)
    return figure, axes


def _placed(entries: Sequence[Entry]) -> Iterator[tuple[int, float]]:
    """The row and the left end, in inches, of each entry of a key."""
    row, x = 0, 0.02
    for entry in entries:
        width = _SAMPLE + _GAP + _CHARACTER * len(entry.words)
        if x > 0.1 and x + width > WIDTH_INCHES:
            row, x = row + 1, 0.02
        yield row, x
        x += width


def _draw_entry(figure: Figure, x: float, y: float, entry: Entry) -> None:
    from matplotlib.lines import Line2D

    size = figure.get_size_inches()
    ends = [x / size[0], (x + _SAMPLE - 0.08) / size[0]]
    line: Line2D = Line2D(ends, [y / size[1]] * 2, transform=figure.transFigure, **entry.look)
    figure.add_artist(line)
    _write(figure, x + _SAMPLE, y, entry.words)


def _write(figure: Figure, x: float, y: float, words: str) -> None:
    width, height = figure.get_size_inches()
    text = figure.text(x / width, y / height, words, color=INKS.ink, ha="left", va="center_baseline", fontsize=10)
    text.set_parse_math(False)


def finish_axes(axes: Axes, across: str, up: str) -> None:
    """Names and numbers of both."""
    style_axes(axes, INKS, across, up)
    axes.tick_params(which="minor", length=0)
    for axis in (axes.xaxis, axes.yaxis):
        name_ticks(axis)


def tick_words(value: float) -> str:
    """A number beside an axis.

    >>> [tick_words(v) for v in (0.0, 0.25, 2.5, 2000, 1.5e6, 3e9, 1e-5, 2.5e12)]
    ['0', '0.25', '2.5', '2,000', '1.5M', '3B', '1e-05', '2.5e+12']
    """
    for unit, name in ((1e9, "B"), (1e6, "M")):
        if unit <= abs(value) < 1e12:
            return f"{value / unit:g}{name}"
    if 10_000 <= abs(value) < 1e6:
        return f"{value / 1000:g}k"
    return f"{value:,.0f}" if 1000 <= abs(value) < 10_000 else f"{value:.4g}"


def name_ticks(axis: Axis, words: Callable[[float], str] = tick_words) -> None:
    """At most five or so, as numbers that are short and without mathematics."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    if axis.get_scale() == "log":
        axis.set_major_locator(LogLocator(10, subs=(1, 2, 5), numticks=5))
        axis.set_minor_formatter(NullFormatter())
    else:
        axis.set_major_locator(MaxNLocator(5))
    axis.set_major_formatter(FuncFormatter(lambda value, _: words(value)))


def far_apart(values: Sequence[Floats]) -> bool:
    """Whether they are all above 0, and the largest is more than ten times the smallest."""
    every = np.concatenate([np.ravel(v) for v in values]) if values else np.empty(0)
    every = every[np.isfinite(every)]
    return bool(len(every)) and every.min() > 0 and every.max() > _MANY_TIMES * every.min()
