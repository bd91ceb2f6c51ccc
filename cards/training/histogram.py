"""How the losses of groups are spread, before and after fine-tuning."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cards.text import format_count
from cards.training.inks import INKS, draw
from cards.training.layout import Entry, finish_axes, new_axes
from cards.training.losses import Losses
from cards.training.numbers import format_value
from cards.training.picture import Picture
from groupstream.label_skew import Floats, Ints

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NUM_BINS = 30
_HEIGHT_INCHES = 1.7


def draw_histogram(key: str, losses: Losses) -> Picture:
    """How many groups have which loss; a loss beyond the scale is in the first or the last bar."""
    edges = np.linspace(*losses.scale, NUM_BINS + 1)
    before, after = (_counts(values, edges) for values in (losses.before, losses.after))
    svg = draw(
        key, f"Histogram of the loss of a group, {losses.described}", lambda: _figure(edges, before, after, losses)
    )
    rows = [
        (f"{format_value(low)} to {format_value(high)}", format_count(was), format_count(now))
        for low, high, was, now in zip(*map(np.ndarray.tolist, (edges[:-1], edges[1:], before, after)), strict=True)
    ]
    was, now = (format_count(int(np.isnan(values).sum())) for values in (losses.before, losses.after))
    rows.append(("NaN", was, now))
    caption = losses.caption("in the first or the last bar").replace(", and not drawn", "")
    return Picture(
        losses.stroke.name, svg, caption, ("loss", "groups before", "groups after"), rows, losses.stroke.slot
    )


def _counts(values: Floats, edges: Floats) -> Ints:
    """int64[num_bins]."""
    return np.histogram(np.clip(values[np.isfinite(values)], edges[0], edges[-1]), edges)[0]


def _figure(edges: Floats, before: Ints, after: Ints, losses: Losses) -> Figure:
    """Filled: after. An outline: before."""
    color = losses.stroke.color
    entries = [
        Entry({"color": INKS.ink, "linewidth": 1.4}, "before"),
        Entry({"color": color, "linewidth": 8, "alpha": 0.7, "solid_capstyle": "butt"}, "after fine-tuning"),
    ]
    figure, axes = new_axes(_HEIGHT_INCHES, entries, losses.protocol)
    axes.stairs(after, edges, fill=True, color=color, alpha=0.7)
    axes.stairs(before, edges, color=INKS.ink, lw=1.4)
    finish_axes(axes, "loss of a group", "groups")
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(bottom=0)
    return figure
