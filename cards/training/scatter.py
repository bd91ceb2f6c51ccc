"""Where each group went: its loss after fine-tuning against that before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cards.text import format_number_of
from cards.training.inks import INKS, draw
from cards.training.layout import finish_axes, new_axes
from cards.training.losses import Losses, Scale, median_words
from cards.training.numbers import format_percent
from cards.training.picture import Picture
from groupstream.label_skew import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_DOTS = 3000  # of all pictures together; beyond, the groups of a cell are one shade
_HEIGHT_INCHES = 3.3
_CELLS = 80  # along each side
_FAINTEST = 0.3  # the shade of a cell with one group
_HEAD = ("groups by loss before", "median before", "median after", "got better")


def draw_scatters(losses: Sequence[Losses]) -> list[Picture]:
    """A dot for each group, or a shade for each cell where there are many; a loss beyond the scale is at the edge."""
    is_shaded = sum(int(one.is_finite.sum()) for one in losses) > MAX_DOTS
    return [_draw(f"scatter{index}", one, is_shaded) for index, one in enumerate(losses)]


def _draw(key: str, losses: Losses, is_shaded: bool) -> Picture:
    description = f"Loss of each group after fine-tuning against before, {losses.described}"
    svg = draw(key, description, lambda: _figure(losses, is_shaded), [losses.stroke] * is_shaded)
    groups = format_number_of(int(losses.is_finite.sum()), "group")
    shading = f"{groups}, as shades: the stronger, the more in a cell." * is_shaded
    caption = " ".join(filter(None, (shading, losses.caption("at the edge"))))
    return Picture(losses.stroke.name, svg, caption, _HEAD, list(_tenths(losses)), losses.stroke.slot)


def _figure(losses: Losses, is_shaded: bool) -> Figure:
    before, after = (np.clip(v[losses.is_finite], *losses.scale) for v in (losses.before, losses.after))
    figure, axes = new_axes(_HEIGHT_INCHES, [], losses.protocol)
    finish_axes(axes, "loss before", "loss after fine-tuning")
    axes.plot(losses.scale, losses.scale, color=INKS.quiet, lw=1, ls=(0, (3, 2)), zorder=3)
    if is_shaded and len(before):
        _draw_cells(axes, before, after, losses.scale)
    else:
        axes.plot(before, after, "o", color=losses.stroke.color, ms=3, mew=0, alpha=0.45, zorder=2)
    axes.set(xlim=losses.scale, ylim=losses.scale)
    for x, y, words, side in ((0.03, 0.96, "worse", "left"), (0.97, 0.04, "better", "right")):
        axes.text(x, y, words, transform=axes.transAxes, color=INKS.quiet, fontsize=10, ha=side, va="center", zorder=5)
    return figure


def _draw_cells(axes: Axes, before: Floats, after: Floats, scale: Scale) -> None:
    """An image that is a mask over the colour of the algorithm: see `cards.ink`."""
    axes.imshow(
        cell_shades(before, after, scale),
        cmap="gray",
        vmin=0,
        vmax=1,
        origin="lower",
        extent=(*scale, *scale),
        aspect="auto",
        interpolation="none",
        zorder=2,
    )


def cell_shades(before: Floats, after: Floats, scale: Scale) -> Floats:
    """float64[cells after, cells before], from 0 for none to 1 for the most; by the logarithm, so that one is seen."""
    counts = np.histogram2d(before, after, bins=_CELLS, range=(scale, scale))[0].T
    most = max(float(np.log(counts.max())), 1.0)
    return np.where(counts > 0, _FAINTEST + (1 - _FAINTEST) * np.log(np.maximum(counts, 1)) / most, 0)


def _tenths(losses: Losses) -> Iterator[tuple[str, ...]]:
    """Ten parts of the groups, by the loss before."""
    order = np.argsort(losses.before, kind="stable")
    for index, places in enumerate(np.array_split(order[losses.is_finite[order]], 10)):
        if len(places):
            was, now = losses.before[places], losses.after[places]
            name = f"{10 * index} to {10 * (index + 1)} %"
            yield name, median_words(was), median_words(now), format_percent(float((now < was).mean()))
