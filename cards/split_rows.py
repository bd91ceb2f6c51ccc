"""The splits side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cards.room import Fitting, fitting
from cards.text import format_bytes, format_count, format_share, visible_line
from groupstream.manifest import Manifest

_ROWS_BYTES = 30_000


class SplitRow(NamedTuple):
    """How large a split is. `percent` is its share of all examples, for a bar."""

    name: str
    num_groups: str
    num_examples: str
    share: str
    size: str
    median: str
    percent: float


def split_rows(manifest: Manifest, names: Sequence[str]) -> Fitting:
    """The splits in this order, as many as there is room for."""
    total = sum(split.statistics.num_examples for split in manifest.splits.values())
    rows = (_row(manifest, name, total) for name in names)
    return fitting(rows, len(names), lambda row: (row.name, " " * 400), _ROWS_BYTES)


def _row(manifest: Manifest, name: str, total: int) -> SplitRow:
    found = manifest.splits[name].statistics
    return SplitRow(
        name=visible_line(name, 100),
        num_groups=format_count(found.num_groups),
        num_examples=format_count(found.num_examples),
        share=format_share(found.num_examples, total),
        size=format_bytes(found.num_bytes),
        median=format_count(found.group_sizes.p50),
        percent=round(100 * found.num_examples / max(1, total), 3),
    )
