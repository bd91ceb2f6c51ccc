"""The trainings of a study in one table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from cards.training.percentiles import PERCENTILE_SCHEMA


class CellResult(NamedTuple):
    """A training of a study.

    Attributes:
        settings: what differs in it, by key; the same keys in all cells.
        percentiles: as `PERCENTILE_SCHEMA`.
        report: the address of its report.
    """

    settings: Mapping[str, Any]
    percentiles: pa.Table
    report: str

    @property
    def words(self) -> str:
        """What differs, in a line."""
        return ", ".join(f"{key} {in_words(value)}" for key, value in self.settings.items()) or "as it stands"


def in_words(value: Any) -> str:
    """A setting: text as it is, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def study_table(cells: Sequence[CellResult]) -> pa.Table:
    """A column for each setting, as text, then those of `PERCENTILE_SCHEMA`, and the report of the cell.

    A row for each cell, algorithm, measure and moment.
    """
    return pa.concat_tables([_with_settings(cell) for cell in cells]) if cells else PERCENTILE_SCHEMA.empty_table()


def _with_settings(cell: CellResult) -> pa.Table:
    num_rows = len(cell.percentiles)
    settings = {key: pa.array([in_words(value)] * num_rows, pa.string()) for key, value in cell.settings.items()}
    found = {name: cell.percentiles.column(name) for name in cell.percentiles.column_names}
    return pa.table({**settings, **found, "report": pa.array([cell.report] * num_rows, pa.string())})
