"""Pictures of the rounds: thin lines for seeds, a thick one for their mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from cards.text import format_count
from cards.training.curves import MAX_POINTS, Curve, curves_of
from cards.training.inks import Stroke, draw
from cards.training.layout import Entry, far_apart, finish_axes, name_ticks, new_axes
from cards.training.numbers import format_percent, format_value
from cards.training.picture import Picture
from cards.training.tables import floats
from groupstream.label_skew import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HEIGHT_INCHES = 2.3
_TABLE_ROWS = 10  # of each algorithm


@dataclass(frozen=True)
class Lines:
    """What a picture of lines shows.

    Attributes:
        key: unlike that of any other picture.
        up: name of the axis.
        over_targets: across are targets seen, not rounds.
        starts_at_zero: the axis begins at 0 and is never logarithmic.
        is_share: values are shown as percentages.
        max_points: of a line; the fewer, the more rounds are averaged.
    """

    key: str
    title: str
    up: str
    over_targets: bool = False
    starts_at_zero: bool = False
    is_share: bool = False
    max_points: int = MAX_POINTS

    @property
    def show(self) -> Callable[[float], str]:
        """A value, in words."""
        return format_percent if self.is_share else format_value

    @property
    def across(self) -> str:
        """Name of the axis."""
        return "targets seen" if self.over_targets else "round"


def column_picture(what: Lines, rounds: pa.Table, column: str, strokes: Mapping[str, Stroke]) -> Picture | None:
    """The picture of a column; None where it has no finite number."""
    return line_picture(what, rounds, floats(rounds, column), strokes)


def line_picture(what: Lines, rounds: pa.Table, values: Floats, strokes: Mapping[str, Stroke]) -> Picture | None:
    """The picture of a value of each row of `rounds`; None where none is a finite number."""
    if not np.isfinite(values).any():
        return None
    curves = curves_of(rounds, values, what.over_targets, what.max_points)
    description = f"Line chart, {what.title.lower()}: {'; '.join(_described(curve, what, strokes) for curve in curves)}"
    svg = draw(what.key, description, lambda: line_figure(what, curves, strokes))
    rows = [row for curve in curves for row in _table_rows(curve, what, strokes[curve.algorithm].name)]
    return Picture(
        what.title, svg, _caption(what, curves), ("algorithm", what.across, "mean", "least", "greatest"), rows
    )


def line_figure(what: Lines, curves: Sequence[Curve], strokes: Mapping[str, Stroke]) -> Figure:
    """The lines of all algorithms: the first is solid, the others dashed on top, so that each of equal ones is seen."""
    used = [strokes[curve.algorithm] for curve in curves]
    figure, axes = new_axes(_HEIGHT_INCHES, [Entry(_look(stroke, 2), stroke.name) for stroke in used])
    for order, (curve, stroke) in enumerate(zip(curves, used, strict=True)):
        _draw_curve(axes, curve, stroke, order)
    if is_logarithmic(what, curves):
        axes.set_yscale("log")
    finish_axes(axes, what.across, what.up)
    if what.is_share:
        name_ticks(axes.yaxis, lambda value: f"{100 * value:.3g} %")
    if what.starts_at_zero:
        axes.set_ylim(bottom=0)
    axes.margins(x=0.02)
    return figure


def is_logarithmic(what: Lines, curves: Sequence[Curve]) -> bool:
    """Whether the scale has to be."""
    return not what.starts_at_zero and far_apart([curve.up for curve in curves])


def _look(stroke: Stroke, width: float) -> dict:
    return {"color": stroke.color, "linewidth": width, "linestyle": stroke.style}


def _draw_curve(axes: Axes, curve: Curve, stroke: Stroke, order: int) -> None:
    if curve.num_seeds > 1:
        for across, up in zip(curve.across, curve.up, strict=True):
            axes.plot(across, up, color=stroke.color, lw=0.7, alpha=0.4, zorder=2)
    marker = "o" if curve.across.shape[1] == 1 else ""
    axes.plot(*curve.mean, **_look(stroke, 1.8), marker=marker, zorder=2 + order / 100)
    for stop in curve.stops:
        axes.plot(*stop, color=stroke.color, marker="x", ms=7, mew=1.8, zorder=4)


def _described(curve: Curve, what: Lines, strokes: Mapping[str, Stroke]) -> str:
    """From where to where an algorithm goes."""
    up = curve.mean[1]
    ends = f"{what.show(float(up[0]))} to {what.show(float(up[-1]))}"
    return f"{strokes[curve.algorithm].name} goes from {ends}"


def _caption(what: Lines, curves: Sequence[Curve]) -> str:
    words = []
    if (most := max(curve.rounds_per_point for curve in curves)) > 1:
        words.append(f"Each point is the mean of {format_count(most)} rounds.")
    if is_logarithmic(what, curves):
        words.append("The scale is logarithmic.")
    if any(curve.stops for curve in curves):
        words.append("×: the next value is not a finite number.")
    return " ".join(words)


def _table_rows(curve: Curve, what: Lines, name: str) -> Iterator[tuple[str, ...]]:
    across, up = curve.mean
    for point in np.unique(np.linspace(0, len(up) - 1, _TABLE_ROWS).round().astype(int)).tolist():
        values = (up[point], curve.up[:, point].min(), curve.up[:, point].max())
        yield name, format_count(round(float(across[point]))), *(what.show(float(v)) for v in values)
