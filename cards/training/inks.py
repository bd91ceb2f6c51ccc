"""The colours of algorithms: the same on each picture of a page, and told apart by the colour-blind.

Any two of the eight differ by 20 or more in CIELAB to all eyes, also to those with any of the three dichromacies, as
simulated by Machado et al. 2009, "A Physiologically-based Model for Simulation of Color Vision Deficiency"; each has a
contrast of 3 to 1 or more with the page. A line has its own dashes too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from cards.ink import STAND_INS, drawing, inline_svg
from cards.text import visible_line
from cards.training.finding import MAX_NAME

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LIGHT = ("#0b62a4", "#d1570b", "#2e9e6f", "#7f2fee", "#726231", "#d671ac", "#1f3a47", "#563125")
DARK = ("#5aaee8", "#f2914e", "#42f099", "#9655f1", "#f0d342", "#ce8da3", "#bae0f3", "#cd5151")

_DASHES: tuple[tuple[float, ...], ...] = (
    (), (5, 1.6), (1.6, 1.2), (6, 1.5, 1.5, 1.5), (9, 2.5), (4, 1, 1, 1, 1, 1), (2.6, 2.6), (9, 1.5, 3, 1.5)
)  # fmt: skip
_STAND_INS = tuple(f"#0a010{i}" for i in range(len(LIGHT)))
_STAND_IN = re.compile(r"#0a010(\d)")


@dataclass(frozen=True)
class Stroke:
    """How an algorithm is drawn.

    Attributes:
        name: as it is shown.
        slot: of its colour; the page has a variable `--series-SLOT`.
        color: that stands for it until the picture is in the page.
        dashes: on and off in widths of the line; empty for a solid one.
    """

    name: str
    slot: int
    color: str
    dashes: tuple[float, ...]

    @property
    def style(self) -> str | tuple[float, tuple[float, ...]]:
        """Of a line, as matplotlib takes it."""
        return (0, self.dashes) if self.dashes else "solid"


def strokes_of(algorithms: Sequence[str]) -> dict[str, Stroke]:
    """By algorithm; from the ninth on, colours come again, with other dashes."""
    found = {}
    for index, algorithm in enumerate(algorithms):
        turn, slot = divmod(index, len(LIGHT))
        dashes = _DASHES[(slot + turn) % len(_DASHES)]
        found[algorithm] = Stroke(visible_line(algorithm, MAX_NAME), slot, _STAND_INS[slot], dashes)
    return found


def draw(name: str, description: str, make: Callable[[], Figure], shaded: Sequence[Stroke] = ()) -> Markup:
    """A picture as an element of the page.

    Args:
        name: of the picture, unlike any other on the page.
        description: what is seen, for people who cannot see it.
        make: draws it, with `STAND_INS` and the colours of strokes.
        shaded: whose the images in it are, in order.
    """
    with drawing(name):
        svg = str(inline_svg(make(), name, description))
    for stroke in shaded:
        svg = svg.replace('style="fill: var(--accent)" mask', f'style="fill: {stroke.color}" mask', 1)
    return Markup(_STAND_IN.sub(r"var(--series-\1)", svg))


INKS = STAND_INS
