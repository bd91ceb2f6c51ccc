"""Medians over the cells of a study: a line for each algorithm, from the least to the greatest seed."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cards.training.inks import Stroke, draw
from cards.training.layout import Entry, finish_axes, new_axes
from cards.training.numbers import format_value
from cards.training.picture import Picture
from cards.training.study_table import CellResult
from groupstream.label_skew import Floats

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HEIGHT_INCHES = 2.6
_MAX_LABEL = 14
_TITLES = {"before": "Before personalization", "after": "After personalization"}


def study_picture(moment: str, cells: Sequence[CellResult], strokes: Mapping[str, Stroke]) -> Picture:
    """The median loss of held-out groups in each cell.

    Args:
        moment: before or after fine-tuning.
    """
    medians = {name: medians_of(cells, name, moment) for name in strokes}
    title = _TITLES[moment]
    described = "; ".join(
        f"{strokes[name].name} {', '.join(format_value(value) for value in values[:, 0])}"
        for name, values in medians.items()
    )
    svg = draw(
        f"study-{moment}", f"{title}, median loss by cell: {described}", lambda: _figure(cells, medians, strokes)
    )
    rows = [
        (cell.words, strokes[name].name, *(format_value(value) for value in medians[name][place]))
        for place, cell in enumerate(cells)
        for name in strokes
        if np.isfinite(medians[name][place, 0])
    ]
    caption = "Median over held-out groups; bars go from the least to the greatest seed."
    return Picture(title, svg, caption, ("cell", "algorithm", "median", "least", "greatest"), rows)


def medians_of(cells: Sequence[CellResult], algorithm: str, moment: str) -> Floats:
    """float64[cells, 3]: the median loss, its least and its greatest of a seed; NaN where a cell has none."""
    found = np.full((len(cells), 3), np.nan)
    for place, cell in enumerate(cells):
        for row in cell.percentiles.to_pylist():
            if (row["algorithm"], row["measure"], row["moment"]) == (algorithm, "loss", moment):
                found[place] = row["p50"], row["p50_min"], row["p50_max"]
    return found


def _figure(cells: Sequence[CellResult], medians: Mapping[str, Floats], strokes: Mapping[str, Stroke]) -> Figure:
    from matplotlib.ticker import FixedFormatter, FixedLocator

    looks: dict[str, dict[str, Any]] = {
        name: {"color": strokes[name].color, "linestyle": strokes[name].style, "linewidth": 2} for name in medians
    }
    figure, axes = new_axes(_HEIGHT_INCHES, [Entry(looks[name], strokes[name].name) for name in medians])
    places = np.arange(len(cells))
    for name, values in medians.items():
        axes.plot(places, values[:, 0], marker="o", markersize=4, **looks[name])
        axes.vlines(places, values[:, 1], values[:, 2], color=strokes[name].color, linewidth=1.5)
    finish_axes(axes, " and ".join(cells[0].settings), "median loss of a target")
    axes.xaxis.set_major_locator(FixedLocator(list(places)))
    axes.xaxis.set_major_formatter(FixedFormatter([_label(cell) for cell in cells]))
    axes.margins(x=0.08)
    return figure


def _label(cell: CellResult) -> str:
    label = cell.words if len(cell.settings) != 1 else cell.words.partition(" ")[2]
    first = label if len(cell.settings) == 1 else label.partition(",")[0].partition(" ")[2]
    return "\n".join(textwrap.wrap(first, _MAX_LABEL, max_lines=2, placeholder="…"))
