"""The page and the table of a study."""

from __future__ import annotations

import pyarrow as pa
import pytest
from pyarrow import csv

from cards.training.percentiles import PERCENTILE_SCHEMA
from cards.training.study import render_study, write_study
from cards.training.study_picture import medians_of
from cards.training.study_table import CellResult, study_table


def cell(settings, report="report.html", **medians) -> CellResult:
    """Each algorithm with (before, after, spread)."""
    rows = [
        dict.fromkeys(PERCENTILE_SCHEMA.names, 0)
        | {"algorithm": algorithm, "measure": "loss", "moment": moment}
        | {"p50": value, "p50_min": value - spread, "p50_max": value + spread}
        for algorithm, (before, after, spread) in medians.items()
        for moment, value in (("before", before), ("after", after))
    ]
    return CellResult(settings, pa.Table.from_pylist(rows, schema=PERCENTILE_SCHEMA), report)


CELLS = [
    cell({"local_steps": 1, "rounds": 64}, "one/report.html", fedavg=(3.0, 2.5, 0.125), fedsgd=(2.75, 2.625, 0.0)),
    cell({"local_steps": 16, "rounds": 4}, "other/report.html", fedavg=(3.5, 2.25, 0.25)),
]


def test_the_table_has_the_settings_of_each_cell(tmp_path):
    table = study_table(CELLS)
    assert table.column_names[:2] == ["local_steps", "rounds"] and table.num_rows == 6
    assert table["rounds"].to_pylist() == ["64"] * 4 + ["4"] * 2
    page = write_study(tmp_path / "new", "Steps", CELLS, "train: ...")
    assert page.read_text().startswith("<!doctype html>")
    assert csv.read_csv(tmp_path / "new" / "study.csv").num_rows == 6


def test_the_page_shows_medians_with_their_spread_and_leads_to_the_reports():
    page = render_study("Steps", CELLS, "train: ...")
    assert "local_steps 16, rounds 4" in page and 'href="other/report.html"' in page
    assert "2.88 … 3.12" in page and "2.62 … 2.62" not in page
    assert page.count("<svg") == 2 and "http://" not in page.replace("http://www.w3.org", "")


def test_an_algorithm_that_a_cell_lacks_is_a_gap():
    before = medians_of(CELLS, "fedsgd", "before")
    assert before[0].tolist() == [2.75, 2.75, 2.75] and (before[1] != before[1]).all()


def test_one_cell_has_no_picture():
    assert "<svg" not in render_study("One", CELLS[:1], "")


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", '"><img src=x>'])
def test_what_is_hostile_is_text(hostile):
    page = render_study(hostile, [cell({"dataset": hostile}, **{hostile: (1.0, 1.0, 0.0)}), *CELLS[1:]][:1], hostile)
    assert hostile not in page
