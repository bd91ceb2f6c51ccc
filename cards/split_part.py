"""What the card says about one split: its figures, the sizes of its groups, and their labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup

from cards.label_plots import draw_labels
from cards.labels import choose_groups, label_matrix
from cards.plots import Ints, draw_group_sizes, is_logarithmic
from cards.text import (
    format_bytes,
    format_count,
    format_number_of,
    format_share,
    format_short_count,
    visible_line,
)
from groupstream.label_skew import label_skew

MAX_LARGEST = 10
WIDE_INCHES, NARROW_INCHES = 9.4, 4.4  # the picture on a desk and on a phone
_WIDTHS = {"wide": WIDE_INCHES, "narrow": NARROW_INCHES}
_MARKS = {"10 %": 0.1, "50 %": 0.5, "90 %": 0.9, "max": 1.0}


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
class LabelPart:
    """The labels of a split. `figures` are shares at 10, 50 and 90 % of the groups, by what they are of."""

    summary: str
    pictures: Mapping[str, Markup]
    figures: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class SplitPart:
    """What the card says about one split."""

    name: str
    summary: str
    figures: Sequence[Figure]
    pictures: Mapping[str, Markup]
    scale: str
    percentiles: Mapping[str, Sequence[str]]
    largest: Sequence[LargeGroup]
    labels: LabelPart | None


def split_part(
    key: str, name: str, table: pa.Table, labels: pa.Table | None, label_names: Sequence[str] | None
) -> SplitPart:
    """What the card says about one split.

    Args:
        key: begins the names of its pictures.
        table: its group table.
        labels: its label table, if there is one.
        label_names: of the classes, where labels are class indices.
    """
    sizes = table["num_examples"].to_numpy()
    return SplitPart(
        name=visible_line(name),
        summary=f"{format_number_of(len(table), 'group')}, {format_number_of(int(sizes.sum()), 'example')}",
        figures=figures_of({name: table}),
        pictures=_pictures(key, sizes) if len(sizes) else {},
        scale="logarithmic" if len(sizes) and is_logarithmic(sizes) else "linear",
        percentiles={
            "examples": [format_count(v) for v in percentiles(sizes).values()],
            "bytes": [format_bytes(v) for v in percentiles(table["num_bytes"].to_numpy()).values()],
            "words": [format_count(v) for v in percentiles(table["num_words"].to_numpy()).values()],
        },
        largest=_largest_groups(table, sizes),
        labels=_label_part(key, labels, sizes, label_names) if labels is not None and len(labels) else None,
    )


def figures_of(tables: Mapping[str, pa.Table]) -> list[Figure]:
    """The big figures of some splits together."""
    totals = {c: sum(_total(t, c) for t in tables.values()) for c in ("num_examples", "num_bytes", "num_words")}
    num_groups = _count_groups(list(tables.values()))
    per_group = totals["num_examples"] / max(1, num_groups)
    per_example = max(1, totals["num_examples"])
    return [
        Figure(format_short_count(num_groups), "groups", f"in {format_number_of(len(tables), 'split')}"),
        Figure(format_short_count(totals["num_examples"]), "examples", f"{per_group:,.1f} per group"),
        Figure(format_bytes(totals["num_bytes"]), "of data", f"{format_bytes(totals['num_bytes'] / per_example)} each"),
        Figure(
            format_short_count(totals["num_words"]), "words", f"{totals['num_words'] / per_example:,.1f} per example"
        ),
    ]


def percentiles(values: Ints) -> dict[str, int]:
    """The values at 10, 50 and 90 % of the groups, and the largest, as `statistics_of` takes them."""
    if not len(values):
        return dict.fromkeys(_MARKS, 0)
    found = np.quantile(values, list(_MARKS.values()), method="lower")
    return dict(zip(_MARKS, map(int, found), strict=True))


def label_name(label: bytes, names: Sequence[str] | None) -> str:
    """A label for people: the name of its class, where it is the index of one.

    >>> label_name(b"1", ("cat", "dog")), label_name(b"7", ("cat", "dog")), label_name(b"sport", None)
    ('dog', '7', 'sport')
    """
    if names and label.isdigit() and len(label) < 10 and int(label) < len(names):
        return names[int(label)]
    return label.decode(errors="backslashreplace")


def skew_figures(top_share: Sequence[float], distance: Sequence[float]) -> dict[str, list[str]]:
    """Percentiles of label skew as text, by what they are of. See `LabelSkew`."""
    return {
        "share of its most common label": [f"{100 * share:.1f} %" for share in top_share],
        "distance from the labels of all": [f"{value:.2f}" for value in distance],
    }


def _count_groups(tables: Sequence[pa.Table]) -> int:
    """Distinct groups: where examples are split within groups, a group is in several splits."""
    if len(tables) < 2:
        return sum(map(len, tables))
    ids = pa.chunked_array([chunk for table in tables for chunk in table["group_id"].chunks], pa.binary())
    return int(pc.count_distinct(ids).as_py())


def _total(table: pa.Table, column: str) -> int:
    return int(pc.sum(table[column]).as_py() or 0)


def _pictures(key: str, sizes: Ints) -> dict[str, Markup]:
    marks = percentiles(sizes)
    return {width: draw_group_sizes(sizes, marks, inches, f"{key}-{width}") for width, inches in _WIDTHS.items()}


def _label_part(key: str, table: pa.Table, sizes: Ints, names: Sequence[str] | None) -> LabelPart:
    matrix = label_matrix(table, choose_groups(sizes)).ordered()
    shown = [label_name(label, names) for label in matrix.labels]
    skew = label_skew(table)
    return LabelPart(
        summary=f"{format_number_of(skew.num_labels, 'label')}, {skew.labels_a_group:,.1f} per group",
        pictures={
            width: draw_labels(matrix, len(sizes), shown, inches, f"{key}-labels-{width}")
            for width, inches in _WIDTHS.items()
        },
        figures=skew_figures(skew.top_share, skew.distance),
    )


def _largest_groups(table: pa.Table, sizes: Ints) -> list[LargeGroup]:
    order = np.argsort(-sizes, kind="stable")[:MAX_LARGEST]
    total = int(sizes.sum())
    return [
        LargeGroup(
            name=visible_line(table["group_id"][int(row)].as_py(), 80),
            num_examples=format_count(int(sizes[row])),
            share=format_share(int(sizes[row]), total),
            bar_percent=round(100 * int(sizes[row]) / max(1, int(sizes[order[0]])), 1),
        )
        for row in order
    ]
