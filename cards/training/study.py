"""The page of a study: its trainings beside each other, and the way to the report of each."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pyarrow import csv

from cards.room import cut_to_page
from cards.text import visible_line
from cards.training.inks import DARK, LIGHT, Stroke, strokes_of
from cards.training.numbers import format_value
from cards.training.study_picture import medians_of, study_picture
from cards.training.study_table import CellResult, study_table
from cards.training.templates import template

PAGE = "study.html"
TABLE = "study.csv"
_MAX_SETTINGS_BYTES = 200_000


class Row(NamedTuple):
    """An algorithm in a cell; the spread is empty with one seed."""

    cell: str
    stroke: Stroke
    before: str
    before_spread: str
    after: str
    after_spread: str
    report: str


def render_study(title: str, cells: Sequence[CellResult], settings: str) -> str:
    """The study as one HTML page that asks for no other file.

    Args:
        title: what it asks.
        cells: at least one.
        settings: all of them, as YAML.
    """
    names = dict.fromkeys(name for cell in cells for name in cell.percentiles["algorithm"].to_pylist())
    strokes = strokes_of(list(names))
    has_several = len(cells) > 1
    page = template("training/study.html").render(
        light=LIGHT,
        dark=DARK,
        title=visible_line(title),
        keys=" and ".join(cells[0].settings),
        rows=[row for cell in cells for row in _rows(cell, strokes)],
        pictures=[study_picture(moment, cells, strokes) for moment in ("before", "after")] if has_several else [],
        settings=cut_to_page(settings, _MAX_SETTINGS_BYTES),
    )
    return page.rstrip() + "\n"


def _rows(cell: CellResult, strokes: dict[str, Stroke]) -> list[Row]:
    found = []
    for name in dict.fromkeys(cell.percentiles["algorithm"].to_pylist()):
        (before, *before_spread), (after, *after_spread) = (
            medians_of([cell], name, moment)[0].tolist() for moment in ("before", "after")
        )
        shown = format_value(before), _spread(before_spread), format_value(after), _spread(after_spread)
        found.append(Row(visible_line(cell.words), strokes[name], *shown, cell.report))
    return found


def _spread(least_and_greatest: Sequence[float]) -> str:
    least, greatest = map(format_value, least_and_greatest)
    return "" if least == greatest else f"{least} … {greatest}"


def write_study(folder: str | os.PathLike[str], title: str, cells: Sequence[CellResult], settings: str) -> Path:
    """Writes `study.html` and `study.csv`; gives the path of the page."""
    page = render_study(title, cells, settings)
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    csv.write_csv(study_table(cells), place / TABLE)
    (place / PAGE).write_text(page, encoding="utf-8")
    return place / PAGE
