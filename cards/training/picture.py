"""A picture of a report, with the same in a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True)
class Picture:
    """What stands in a figure of the page.

    Attributes:
        title: above it.
        svg: the picture.
        caption: below it: what is seen, and what is not.
        head: names of the columns of its table.
        rows: of its table; the first cell of each is its name.
        slot: of the colour that stands beside the title; None for a picture of all algorithms.
    """

    title: str
    svg: Markup
    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    slot: int | None = None
