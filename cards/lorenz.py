"""How unequal groups are: the Lorenz curve of their sizes, with the Gini coefficient."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from cards.ink import STAND_INS, Inks, drawing, inline_svg
from cards.plots import style_axes
from cards.text import format_number_of, format_share
from groupstream.label_skew import Floats, Ints

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_POINTS = 100
_HEIGHT_INCHES = 3.0


def lorenz_curve(ascending: Ints) -> tuple[Floats, Floats]:
    """Points of the curve: the share of the groups, the smallest first, and the share of all that these hold.

    About two hundred points, each exact, from (0, 0) to (1, 1): half of them evenly over the groups, half ever closer
    towards the largest, where the curve of a long tail bends.

    Args:
        ascending: int64[num_groups], sorted; their sum is above 0.

    Source: Lorenz 1905, "Methods of Measuring the Concentration of Wealth".
    """
    num_groups = len(ascending)
    even, near_end = np.linspace(0, num_groups, _POINTS + 1), num_groups - np.geomspace(1, num_groups, _POINTS)
    counts = np.unique(np.concatenate([even, near_end]).round().astype(np.int64))
    sums = np.concatenate([[0], np.cumsum(ascending, dtype=np.int64)])[counts]
    return counts / num_groups, sums / sums[-1]


def concentration(ascending: Ints) -> str:
    """How much the largest groups hold, in words.

    >>> concentration(np.array([1] * 198 + [101, 101]))
    'The largest 1 % of the groups (2 groups) hold 50.5 % of the examples.'
    >>> concentration(np.array([1, 1, 2]))
    'The largest group holds 50.0 % of the examples.'
    """
    num_groups, total = len(ascending), int(ascending.sum())
    percent = next((p for p in (1, 10) if num_groups * p >= 100), None)
    count = 1 if percent is None else num_groups * percent // 100
    share = format_share(int(ascending[num_groups - count :].sum()), total)
    if percent is None:
        return f"The largest group holds {share} of the examples."
    groups = format_number_of(count, "group")
    return f"The largest {percent} % of the groups ({groups}) hold{'s' * (count == 1)} {share} of the examples."


def draw_lorenz(ascending: Ints, gini: float, width_inches: float, name: str) -> Markup:
    """The curve, as an element of a page. See `lorenz_figure`."""
    description = f"Lorenz curve of examples per group; the Gini coefficient is {gini:.2f}. {concentration(ascending)}"
    with drawing(name):
        return inline_svg(lorenz_figure(ascending, gini, width_inches, STAND_INS), name, description)


def lorenz_figure(ascending: Ints, gini: float, width_inches: float, inks: Inks) -> Figure:
    """The curve, and the line of groups that are all equal; the Gini coefficient is twice the area between them."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, PercentFormatter

    figure = Figure(figsize=(width_inches, _HEIGHT_INCHES), facecolor=inks.paper)
    left = 0.75 / width_inches
    axes = figure.add_axes((left, 0.2, 1 - left - 0.25 / width_inches, 0.74), facecolor="none")
    groups, held = lorenz_curve(ascending)
    axes.fill_between(groups, held, groups, color=inks.accent, alpha=0.16, linewidth=0)
    axes.plot([0, 1], [0, 1], color=inks.quiet, lw=1, ls=(0, (3, 2)))
    axes.plot(groups, held, color=inks.accent, lw=2, solid_joinstyle="round")
    style_axes(axes, inks, "share of the groups, the smallest first", "of all examples")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 1]))
        axis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    axes.text(0.04, 0.94, f"Gini {gini:.2f}", transform=axes.transAxes, color=inks.ink, fontsize=11, va="top")
    return figure
