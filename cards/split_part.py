"""What the card says about one split: the sizes of its groups, and their labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from cards.content import SplitSource
from cards.label_part import WIDTHS, LabelPart, label_part
from cards.lorenz import concentration, draw_lorenz
from cards.plots import draw_group_sizes, is_logarithmic
from cards.text import (
    format_bytes,
    format_compact,
    format_compact_bytes,
    format_count,
    format_number_of,
    format_share,
    visible_line,
)
from groupstream.group_sizes import SizeSummary, summarize
from groupstream.label_skew import Ints

MAX_LARGEST = 10
_HALF_INCHES = 4.4  # two beside each other on a desk, one on a phone
_MARKS = {"10 %": 0.1, "50 %": 0.5, "90 %": 0.9, "max": 1.0}
_UNITS = {"examples": format_compact, "words": format_compact, "bytes": format_compact_bytes}


@dataclass(frozen=True)
class Figure:
    """A big figure, and a line below it that puts it in proportion."""

    value: str
    name: str
    note: str


@dataclass(frozen=True)
class LargeGroup:
    """One of the largest groups. `bar_percent` is relative to the largest."""

    name: str
    num_examples: str
    share: str
    bar_percent: float


@dataclass(frozen=True)
class SplitPart:
    """What the card says about one split; a split without groups has no pictures.

    Attributes:
        key: its place in the page.
        pictures: of the sizes of groups, by the width they are for.
        scale: of that picture.
        percentiles: of a group, by unit: at 10, 50, 90 and 99 % of the groups, the largest, and the mean.
        lorenz: how unequal they are; None where no group has an example.
        concentration: the same in words.
        words: how many words they have; None where none has any.
        wordless: how many groups are not in that picture, in words.
    """

    key: str
    name: str
    summary: str
    figures: Sequence[Figure] = ()
    pictures: Mapping[str, Markup] | None = None
    scale: str = ""
    percentiles: Mapping[str, Sequence[str]] | None = None
    largest: Sequence[LargeGroup] = ()
    lorenz: Markup | None = None
    concentration: str = ""
    words: Markup | None = None
    wordless: str = ""
    labels: LabelPart | None = None


def split_part(key: str, name: str, source: SplitSource, label_names: Sequence[str] | None) -> SplitPart:
    """What the card says about one split. Reads its columns one after the other, and holds one at a time.

    Args:
        key: begins the names of its pictures.
        name: of the split.
        source: where its tables are.
        label_names: of the classes, where labels are class indices.
    """
    sizes = source.column("num_examples")
    total = int(sizes.sum())
    summary = f"{format_number_of(len(sizes), 'group')}, {format_number_of(total, 'example')}"
    if not len(sizes):
        return SplitPart(key, visible_line(name), summary)
    found = _size_fields(key, sizes, source)
    found["labels"] = label_part(key, source.label_batches, sizes, label_names)
    del sizes  # 8 bytes a group
    percentiles = found.pop("percentiles")
    for unit in ("words", "bytes"):
        ascending = np.sort(source.column(f"num_{unit}"))
        percentiles[unit] = _percentile_row(unit, summarize(ascending))
        if unit == "words" and ascending[-1] > 0:
            found["words"], found["wordless"] = _words_picture(key, ascending)
    if not found.get("words"):
        del percentiles["words"]
    return SplitPart(key, visible_line(name), summary, percentiles=percentiles, **found)


def _size_fields(key: str, sizes: Ints, source: SplitSource) -> dict:
    """What follows from the examples of each group."""
    largest = _largest_groups(sizes, source)
    ascending = np.sort(sizes)
    summary = summarize(ascending)
    return {
        "figures": _figures(summary),
        "pictures": _pictures(key, ascending),
        "scale": "logarithmic" if is_logarithmic(ascending) else "linear",
        "percentiles": {"examples": _percentile_row("examples", summary)},
        "largest": largest,
        "lorenz": draw_lorenz(ascending, summary.gini, _HALF_INCHES, f"{key}-lorenz") if summary.total else None,
        "concentration": concentration(ascending) if summary.total else "",
    }


def _figures(summary: SizeSummary) -> list[Figure]:
    singletons = 100 * summary.share_of_singletons
    return [
        Figure(format_count(summary.percentiles[50]), "median", "examples in a group"),
        Figure(f"{summary.mean:,.1f}", "mean", "examples in a group"),
        Figure(f"{summary.gini:.2f}", "Gini", "0 if all were equally large"),
        Figure(_percent(singletons), "singletons", "groups of one example"),
    ]


def _percent(value: float) -> str:
    """As `format_share`, of a percentage."""
    return "< 0.1 %" if 0 < value < 0.05 else f"{value:.1f} %" if value else "0 %"


def _percentile_row(unit: str, summary: SizeSummary) -> list[str]:
    shown = _UNITS[unit]
    values = [*summary.percentiles.values(), summary.max]
    mean = format_bytes(summary.mean) if unit == "bytes" else f"{summary.mean:,.1f}"
    return [*map(shown, values), mean]


def _words_picture(key: str, ascending: Ints) -> tuple[Markup, str]:
    """Of the groups that have words, and how many have none."""
    without = int(np.searchsorted(ascending, 0, side="right"))
    some = ascending[without:]
    picture = draw_group_sizes(some, _few_marks(some), _HALF_INCHES, f"{key}-words", "words")
    return picture, f"{format_number_of(without, 'group')} without words" if without else ""


def _few_marks(values: Ints) -> dict[str, int]:
    marks = percentiles(values)
    return {"50 %": marks["50 %"], "max": marks["max"]}


def percentiles(values: Ints) -> dict[str, int]:
    """The values at 10, 50 and 90 % of the groups, and the largest, as `statistics_of` takes them."""
    if not len(values):
        return dict.fromkeys(_MARKS, 0)
    found = np.quantile(values, list(_MARKS.values()), method="lower")
    return dict(zip(_MARKS, map(int, found), strict=True))


def _pictures(key: str, sizes: Ints) -> dict[str, Markup]:
    marks = percentiles(sizes)
    return {width: draw_group_sizes(sizes, marks, inches, f"{key}-{width}") for width, inches in WIDTHS.items()}


def _largest_groups(sizes: Ints, source: SplitSource) -> list[LargeGroup]:
    """The first of those that are equally large."""
    count, total = min(MAX_LARGEST, len(sizes)), int(sizes.sum())
    least = np.partition(sizes, -count)[-count]
    rows = np.concatenate([np.flatnonzero(sizes > least), np.flatnonzero(sizes == least)[:count]])
    order = rows[np.lexsort((rows, -sizes[rows]))][:count].tolist()
    ids = source.ids_at(set(order))
    return [
        LargeGroup(
            name=visible_line(ids[row], 80),
            num_examples=format_count(int(sizes[row])),
            share=format_share(int(sizes[row]), total),
            bar_percent=round(100 * int(sizes[row]) / max(1, int(sizes[order[0]])), 1),
        )
        for row in order
    ]
