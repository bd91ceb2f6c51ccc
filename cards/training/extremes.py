"""Groups by name: those that gained most, those that lost most, those without a number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cards.text import visible_line
from cards.training.numbers import format_value
from cards.training.reported import Reported

MAX_NAMED = 5  # of each kind
_MAX_ID = 60  # characters


class NamedGroup(NamedTuple):
    """A group and its losses, averaged over seeds. `change` is NaN where it has no finite loss in some seed."""

    name: str
    before: str
    after: str
    change: str


class Extremes(NamedTuple):
    """Of an algorithm."""

    algorithm: str
    gained: list[NamedGroup]
    lost: list[NamedGroup]
    missing: list[NamedGroup]


def extremes(reported: Sequence[Reported]) -> list[Extremes]:
    """Of each algorithm that has groups with targets; equal ones by their id."""
    found = []
    for algorithm, seeds in groupby(reported, key=lambda one: one.algorithm):
        table = _means(list(seeds))
        if len(table):
            finite = table.filter(pc.is_finite(table["change"]))
            gained = _first(finite.filter(pc.less(finite["change"], 0)), "ascending")
            lost = _first(finite.filter(pc.greater(finite["change"], 0)), "descending")
            missing = table.filter(pc.is_nan(table["change"])).sort_by("group_id")[:MAX_NAMED]
            found.append(Extremes(algorithm, gained, lost, list(_named(missing))))
    return found


def _means(seeds: Sequence[Reported]) -> pa.Table:
    """A row for each group: its losses, averaged over seeds."""
    ids = pa.chunked_array([chunk for one in seeds for chunk in one.group_ids.chunks], pa.binary())
    columns = [np.concatenate([getattr(one, moment)["loss"] for one in seeds]) for moment in ("before", "after")]
    table = pa.table([ids, *columns, columns[1] - columns[0]], names=["group_id", "before", "after", "change"])
    return (
        table.group_by("group_id")
        .aggregate([("before", "mean"), ("after", "mean"), ("change", "mean")])
        .rename_columns(["group_id", "before", "after", "change"])
    )


def _first(table: pa.Table, order: str) -> list[NamedGroup]:
    return list(_named(table.sort_by([("change", order), ("group_id", "ascending")])[:MAX_NAMED]))


def _named(table: pa.Table) -> Iterator[NamedGroup]:
    for row in table.to_pylist():
        numbers = (format_value(row[name]) for name in ("before", "after", "change"))
        yield NamedGroup(visible_line(row["group_id"] or b"", _MAX_ID), *numbers)
