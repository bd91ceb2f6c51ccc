"""The report of a run in a folder, and its percentiles beside it as a table for programs."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
from pyarrow import csv

from cards.training.facts import TrainingFacts
from cards.training.percentiles import PERCENTILES, percentile_table
from cards.training.report import render_training_report

REPORT = "report.html"


def write_results(
    folder: str | os.PathLike[str], facts: TrainingFacts, rounds: pa.Table, evaluation: pa.Table
) -> tuple[Path, Path]:
    """Writes `report.html` and `percentiles.csv`, in place of those that are there; neither where the tables are wrong.

    Args:
        folder: is made where it is missing.
        facts: see `render_training_report`, as for the tables.
        rounds: as `ROUNDS_SCHEMA`.
        evaluation: as `EVALUATION_SCHEMA`.

    Returns:
        The paths of both.

    Raises:
        UsageError: see `render_training_report`.
    """
    page, percentiles = render_training_report(facts, rounds, evaluation), percentile_table(evaluation)
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    report, table = place / REPORT, place / PERCENTILES
    csv.write_csv(percentiles, table)
    report.write_text(page, encoding="utf-8")
    return report, table
