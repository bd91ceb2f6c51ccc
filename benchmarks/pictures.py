"""Pictures of what grows: a figure of each case over the number of examples or their size, both axes logarithmic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmarks.results import Case
from cards.ink import svg_file
from cards.training.inks import DARK, LIGHT, draw, strokes_of
from cards.training.layout import Entry, finish_axes, new_axes, tick_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT_INCHES = 3.2
OURS = "groupstream"  # its lines are thicker


def growth_picture(name: str, cases: Sequence[Case], across: str = "examples") -> str:
    """An SVG file that follows light and dark, the same bytes for the same cases.

    Args:
        cases: of one figure, each with the size that it was measured at.
        across: what that size is.
    """
    svg = draw(name, f"{cases[0].figure} over {across}, of each case", lambda: _figure(cases, across))
    file = svg_file(str(svg)).replace("<style>svg{", f"<style>svg{{{_series(LIGHT)}", 1)
    return file.replace("dark){svg{", f"dark){{svg{{{_series(DARK)}", 1)


def _figure(cases: Sequence[Case], across: str) -> Figure:
    strokes = strokes_of(list(dict.fromkeys(case.case for case in cases)))
    looks = {
        name: {"color": stroke.color, "linestyle": stroke.style, "linewidth": 2.6 if name.startswith(OURS) else 1.4}
        for name, stroke in strokes.items()
    }
    figure, axes = new_axes(HEIGHT_INCHES, [Entry(looks[name], stroke.name) for name, stroke in strokes.items()])
    axes.set_xscale("log")
    axes.set_yscale("log")
    for name, look in looks.items():
        points = sorted((case.at or 0.0, case.median) for case in cases if case.case == name)
        axes.plot(*zip(*points, strict=True), marker="o", markersize=3, **look)
    finish_axes(axes, across, f"{cases[0].figure}, {cases[0].unit}")
    _name_decades(axes, sorted({case.at or 0.0 for case in cases}))
    return figure


def _name_decades(axes: Axes, sizes: Sequence[float]) -> None:
    """A number at each size, and at each power of ten of the figure, or closer where it spans less than two."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

    axes.xaxis.set_major_locator(FixedLocator(sizes))
    least, most = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(10, (1.0,) if most > 100 * least else (1.0, 2.0, 5.0), numticks=12))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: tick_words(value)))


def _series(colors: Sequence[str]) -> str:
    return "".join(f"--series-{slot}:{color};" for slot, color in enumerate(colors))
