"""How large the versions of a dataset are, one after the other, in a picture the size of a word."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

WIDTH, HEIGHT = 96, 24
_MARGIN = 3
_MAX_POINTS = 48  # more are not to be told apart


def sparkline(sizes: Sequence[int], words: str) -> Markup:
    """An SVG; nothing where there are fewer than two sizes.

    The bottom is 0, so that heights compare as sizes do.

    Args:
        sizes: of the versions, oldest first.
        words: what it shows, for those who do not see it.
    """
    if len(sizes) < 2:
        return Markup()
    points = _points(sizes)
    line = " ".join(f"{x:g},{y:g}" for x, y in points)
    (first, _), (last, top) = points[0], points[-1]
    bottom = HEIGHT - _MARGIN
    return Markup(
        '<svg class="spark" viewBox="0 0 {} {}" role="img" aria-label="{}">'
        '<polygon points="{:g},{} {} {:g},{}"/><polyline points="{}"/><circle cx="{:g}" cy="{:g}" r="2.5"/></svg>'
    ).format(WIDTH, HEIGHT, words, first, bottom, line, last, bottom, line, last, top)


def _points(sizes: Sequence[int]) -> list[tuple[float, float]]:
    """Evenly spread over the width; of many sizes some, with the first and the last among them."""
    num_points = min(len(sizes), _MAX_POINTS)
    chosen = [sizes[round(i * (len(sizes) - 1) / (num_points - 1))] for i in range(num_points)]
    largest = max(*chosen, 1)
    across, up = (WIDTH - 2 * _MARGIN) / (num_points - 1), HEIGHT - 2 * _MARGIN
    return [
        (round(_MARGIN + i * across, 1), round(HEIGHT - _MARGIN - up * s / largest, 1)) for i, s in enumerate(chosen)
    ]
