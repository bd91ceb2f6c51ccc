"""One picture of how large the groups of a version are, as a file of its own: histogram and Lorenz curve."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import numpy as np
from markupsafe import Markup, escape

from cards.ink import svg_file
from cards.lorenz import concentration, draw_lorenz
from cards.plots import draw_group_sizes
from cards.split_part import percentiles
from cards.text import format_number_of, shorten, visible_line
from groupstream.group_sizes import summarize
from groupstream.label_skew import Ints

MAX_SPLITS = 3  # the largest; each takes about 30 kB
_WIDTH_INCHES = 7.0
_POINTS = 72  # an inch
_MARGIN, _LINE = 14, 22  # points
_VIEW_BOX = re.compile(r'<svg viewBox="0 0 ([\d.]+) ([\d.]+)"')


def sizes_picture(title: str, splits: Mapping[str, Ints]) -> str | None:
    """The picture as SVG, light or dark as whoever shows it wants; None where no split has a group.

    Args:
        title: stands above it.
        splits: int64[num_groups], the examples of each group, by the name of the split.
    """
    drawn = sorted(((len(s), name, s) for name, s in splits.items() if len(s)), key=lambda one: (-one[0], one[1]))
    if not drawn:
        return None
    parts, height = [_text(title, _MARGIN + 12, "font-weight:600")], float(_MARGIN + _LINE)
    for index, (_, name, sizes) in enumerate(drawn[:MAX_SPLITS]):
        for part in _split_parts(f"s{index}", name, sizes):
            placed, part_height = _placed(part, height)
            parts.append(placed)
            height += part_height
    if more := len(drawn) - MAX_SPLITS:
        parts += [_text(f"and {format_number_of(more, 'more split')}", height + 12)] * (more > 0)
    box = f"0 0 {_WIDTH_INCHES * _POINTS + 2 * _MARGIN:g} {height + _LINE:g}"
    opening = f'<svg viewBox="{box}" role="img" aria-label="{escape(title)}">'
    return svg_file(f"{opening}{''.join(parts)}</svg>")


def _split_parts(key: str, name: str, sizes: Ints) -> Iterator[str | Markup]:
    """Lines of text and drawings, in order."""
    examples = int(sizes.sum())
    yield f"{name}: {format_number_of(len(sizes), 'group')}, {format_number_of(examples, 'example')}"
    yield draw_group_sizes(sizes, percentiles(sizes), _WIDTH_INCHES, f"{key}-sizes")
    if examples:
        ascending = np.sort(sizes)
        yield concentration(ascending)
        yield draw_lorenz(ascending, summarize(ascending).gini, _WIDTH_INCHES, f"{key}-lorenz")


def _placed(part: str | Markup, y: float) -> tuple[str, float]:
    """A part below all that stands above `y`, and its height."""
    if not isinstance(part, Markup):
        return _text(part, y + 14), _LINE
    box = _VIEW_BOX.match(part)
    assert box is not None
    width, height = float(box[1]), float(box[2])
    place = f'<svg x="{_MARGIN}" y="{y:g}" width="{width:g}" height="{height:g}" viewBox="0 0 {box[1]} {box[2]}"'
    return place + str(part)[box.end() :].rstrip(), height + 6


def _text(text: str, y: float, style: str = "") -> str:
    shown = escape(shorten(visible_line(text), 90))
    return f'<text x="{_MARGIN}" y="{y:g}" style="fill:var(--ink);font-size:12px;{style}">{shown}</text>'
