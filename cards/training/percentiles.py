"""What fine-tuning does to the groups: percentiles before and after it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import groupby, product
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

from cards.training.rates import choose_rates
from cards.training.reported import MEASURES, Reported, reported_groups
from groupstream.label_skew import Floats

PERCENTILES = "percentiles.csv"
PERCENTS = (10, 50, 90)
MOMENTS = ("before", "after")

_VALUES = [(f"p{percent}{end}", pa.float64()) for percent in PERCENTS for end in ("", "_min", "_max")]
PERCENTILE_SCHEMA = pa.schema(
    [
        ("algorithm", pa.string()),
        ("measure", pa.string()),  # loss or accuracy
        ("moment", pa.string()),  # before or after fine-tuning
        *_VALUES,  # the mean over seeds, the least and the greatest of a seed
        ("share_better", pa.float64()),  # of the groups, after fine-tuning; null before
        ("num_seeds", pa.int64()),
        ("num_groups", pa.int64()),  # with targets, of all seeds together
        ("num_not_finite", pa.int64()),  # of these
        ("num_without_targets", pa.int64()),  # left out, of all seeds together
    ]
)
"""A row for each algorithm, measure and moment."""


def percentile_table(evaluation: pa.Table) -> pa.Table:
    """Where 10, 50 and 90 % of the reported groups are before and after fine-tuning at the chosen rate.

    Percentiles are those of each seed, averaged over the seeds; beside each stand the least and the greatest of a seed
    (`_min`, `_max`): with few seeds, a range says what there is and a standard deviation would pretend to more. What is
    not a finite number counts as worse than any number, so a percentile is NaN where that many groups are; it is not
    left out. Groups without targets are left out and counted.

    Args:
        evaluation: as `EVALUATION_SCHEMA`.

    Returns:
        As `PERCENTILE_SCHEMA`, algorithms in the order in which they are shown.

    Raises:
        UsageError: see `choose_rates`.
    """
    return percentiles_of(reported_groups(evaluation, choose_rates(evaluation)))


def read_percentiles(folder: str | os.PathLike[str]) -> pa.Table:
    """The table that `write_results` left in a folder."""
    types = {field.name: field.type for field in PERCENTILE_SCHEMA}
    return csv.read_csv(Path(folder) / PERCENTILES, convert_options=csv.ConvertOptions(column_types=types))


def percentiles_of(reported: Sequence[Reported]) -> pa.Table:
    """The table of `percentile_table`."""
    return pa.Table.from_pylist(list(_rows(reported)), schema=PERCENTILE_SCHEMA)


def _rows(reported: Sequence[Reported]) -> Iterator[dict]:
    for algorithm, found in groupby(reported, key=lambda one: one.algorithm):
        everything = list(found)
        without = sum(one.num_without_targets for one in everything)
        seeds = [one for one in everything if len(one.group_ids)]
        for measure, moment in product(MEASURES, MOMENTS) if seeds else ():
            row = {"algorithm": algorithm, "measure": measure, "moment": moment, "num_without_targets": without}
            yield row | _row(seeds, measure, moment)


def _row(seeds: Sequence[Reported], measure: str, moment: str) -> dict:
    values = [getattr(one, moment)[measure] for one in seeds]
    found = np.array([[percentile(v, percent, measure == "accuracy") for percent in PERCENTS] for v in values])
    better = [float(one.is_better(measure).mean()) for one in seeds]
    row = {f"p{percent}": float(found[:, i].mean()) for i, percent in enumerate(PERCENTS)}
    row |= {f"p{percent}_min": float(found[:, i].min()) for i, percent in enumerate(PERCENTS)}
    row |= {f"p{percent}_max": float(found[:, i].max()) for i, percent in enumerate(PERCENTS)}
    return row | {
        "share_better": float(np.mean(better)) if moment == "after" else None,
        "num_seeds": len(seeds),
        "num_groups": sum(map(len, values)),
        "num_not_finite": int(sum(np.isnan(v).sum() for v in values)),
    }


def percentile(values: Floats, percent: float, more_is_better: bool = False) -> float:
    """As NumPy's, between neighbours, but a NaN is worse than any number.

    >>> percentile(np.array([3.0, 1.0, np.nan]), 50), percentile(np.array([3.0, 1.0, np.nan]), 90)
    (3.0, nan)
    >>> percentile(np.array([3.0, 1.0, np.nan]), 50, more_is_better=True)
    1.0

    Args:
        values: float64[num_values], at least one.
        percent: from 0 to 100.
        more_is_better: NaN is below the least, not above the greatest.
    """
    if more_is_better:
        return -percentile(-values, 100 - percent)
    ascending = np.sort(values)  # NaN last
    place = percent / 100 * (len(values) - 1)
    low = int(place)
    share = place - low
    if not share:
        return float(ascending[low])
    return float(ascending[low] + share * (ascending[low + 1] - ascending[low]))
