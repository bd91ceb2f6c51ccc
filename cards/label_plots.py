"""The picture of labels by groups: which share of each group has which label, and how large the groups are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from markupsafe import Markup

from cards.ink import STAND_INS, Inks, drawing, inline_svg, shades
from cards.labels import LabelMatrix
from cards.plots import tick_label
from cards.text import format_count, format_number_of, visible_line
from groupstream.label_skew import Floats, Ints

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_GAMMA = 0.5  # so that a share of 1 % can be told from none
_NAMED_LABELS = 20  # more are too close to be named each
_MAX_NAME = 14  # characters
_CHARACTER_INCHES = 0.085
_SCALE_SHARES = (0, 0.01, 0.1, 0.25, 0.5, 1)


def draw_labels(
    matrix: LabelMatrix, num_groups: int, names: Sequence[str], width_inches: float, picture_name: str
) -> Markup:
    """Labels by groups, as an element of a page. See `label_figure`."""
    description = f"Share of each label in each of {format_number_of(matrix.num_groups, 'group')}"
    with drawing(picture_name):
        figure = label_figure(matrix, num_groups, names, width_inches, STAND_INS)
        return inline_svg(figure, picture_name, description)


def label_figure(matrix: LabelMatrix, num_groups: int, names: Sequence[str], width_inches: float, inks: Inks) -> Figure:
    """A heat map of labels by groups, all groups together beside it, and the sizes of the groups above.

    All pictures have the same shades, so that two can be compared; they go with the square root of the share.

    Args:
        matrix: at least one label and one group, in the order to show.
        num_groups: how many there are, of which these are shown.
        names: of the labels, in the order of the rows.
        width_inches: of the drawing; its text is 10 points high.
    """
    from matplotlib.figure import Figure

    places = _places(names, width_inches)
    figure = Figure(figsize=(width_inches, places.height), facecolor=inks.paper)

    def axes_at(left: float, bottom: float, width: float, height: float) -> Axes:
        place = (left / width_inches, bottom / places.height, width / width_inches, height / places.height)
        return figure.add_axes(place, facecolor="none")

    overall, groups, scale = axes_at(*places.overall), axes_at(*places.groups), axes_at(*places.scale)
    _draw_shares(overall, matrix.overall_shares()[:, None], inks)
    _name_labels(overall, names, inks)
    _draw_shares(groups, matrix.shares(), inks)
    _name_groups(groups, matrix, num_groups, places.groups[2], inks)
    _draw_scale(scale, places.scale[3], inks)
    _draw_sizes(axes_at(*places.sizes), matrix.counts.sum(axis=0), inks)
    return figure


class _Places(NamedTuple):
    """Where the parts are, in inches from the lower left corner: left, bottom, width, height."""

    height: float
    overall: tuple[float, float, float, float]
    groups: tuple[float, float, float, float]
    scale: tuple[float, float, float, float]
    sizes: tuple[float, float, float, float]


def _places(names: Sequence[str], width_inches: float) -> _Places:
    rows = min(max(0.19 * len(names), 1.1), 3.8)
    left = 0.5 + _CHARACTER_INCHES * max(len(_short(names[row])) for row in _named_rows(names))
    bottom, width = 0.55 if width_inches > 6 else 0.7, width_inches - left - 1.35
    return _Places(
        height=bottom + rows + 0.12 + 0.7 + 0.15,
        overall=(left, bottom, 0.16, rows),
        groups=(left + 0.32, bottom, width, rows),
        scale=(width_inches - 0.9, bottom, 0.13, rows),
        sizes=(left + 0.32, bottom + rows + 0.12, width, 0.7),
    )


def _draw_shares(axes: Axes, shares: Floats, inks: Inks) -> None:
    from matplotlib.colors import PowerNorm

    axes.imshow(shares, cmap=shades(inks), norm=PowerNorm(_GAMMA, 0, 1), aspect="auto", interpolation="none")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.tick_params(length=0, pad=5, labelsize=10, labelcolor=inks.quiet)
    for spine in axes.spines.values():
        spine.set_color(inks.line)


def _name_labels(axes: Axes, names: Sequence[str], inks: Inks) -> None:
    rows = _named_rows(names)
    axes.set_yticks(rows, [_short(names[row]) for row in rows])
    what = "label" if len(rows) == len(names) else f"label, one of {format_count(len(names))}"
    axes.set_ylabel(what, color=inks.quiet, fontsize=10, labelpad=4)
    axes.set_xticks([0], ["all"])


def _named_rows(names: Sequence[str]) -> range:
    """The rows that have room for their names."""
    return range(0, len(names), max(1, -(-len(names) // _NAMED_LABELS)))


def _name_groups(axes: Axes, matrix: LabelMatrix, num_groups: int, width_inches: float, inks: Inks) -> None:
    what = format_number_of(num_groups, "group")
    what = f"{format_count(matrix.num_groups)} of {what}" if matrix.num_groups < num_groups else what
    fits = _CHARACTER_INCHES * len(what + matrix.order) < width_inches
    text = f"{what}, {matrix.order}" if fits else f"{what},\n{matrix.order}"
    axes.set_xlabel(text, color=inks.quiet, fontsize=10, labelpad=7)


def _draw_scale(axes: Axes, height_inches: float, inks: Inks) -> None:
    """The shades, and the shares that they stand for."""
    steps = 64
    _draw_shares(axes, np.linspace(1, 0, steps)[:, None] ** (1 / _GAMMA), inks)
    axes.yaxis.tick_right()
    shares = [share for share in _SCALE_SHARES if share != 0.01 or height_inches > 1.4]
    places = [(steps - 1) * (1 - share**_GAMMA) for share in shares]
    axes.set_yticks(places, [f"{100 * share:g} %" for share in shares])
    axes.set_xlabel("of a group", color=inks.quiet, fontsize=10, labelpad=7)
    axes.tick_params(length=0, pad=5)


def _draw_sizes(axes: Axes, sizes: Ints, inks: Inks) -> None:
    from matplotlib.ticker import FuncFormatter

    most = max(1, int(sizes.max()))
    logarithmic = most > 20 * max(1, np.median(sizes))
    least = 0.7 if logarithmic else 0.0
    edges = np.arange(len(sizes) + 1) - 0.5
    axes.set_yscale("log" if logarithmic else "linear")
    axes.stairs(sizes, edges, baseline=least, fill=True, color=inks.accent, alpha=0.7, linewidth=0)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(least, most * 1.02)
    axes.minorticks_off()
    axes.set_xticks([])
    axes.set_yticks([1 if logarithmic else 0, most])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: tick_label(round(value))))
    axes.yaxis.tick_right()
    axes.yaxis.set_label_position("right")
    axes.set_ylabel("examples", color=inks.quiet, fontsize=10, labelpad=4)
    axes.tick_params(length=0, pad=5, labelsize=10, labelcolor=inks.quiet)
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(inks.line)


def _short(name: str) -> str:
    return visible_line(name, _MAX_NAME)
