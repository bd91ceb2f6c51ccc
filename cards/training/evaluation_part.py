"""What a report says in tables of the groups before and after fine-tuning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

import pyarrow as pa

from cards.room import Fitting
from cards.text import format_count, format_number_of, format_share
from cards.training.inks import Stroke
from cards.training.numbers import format_percent, format_rate, format_two, format_value
from cards.training.percentiles import PERCENTS
from cards.training.rates import Rates, TriedRate

MAX_TRIED = 60  # algorithms and seeds


class Cell(NamedTuple):
    """A number, and how far seeds are from one another; empty where there is one."""

    value: str
    spread: str


class PercentileRow(NamedTuple):
    """Of a measure at a moment."""

    name: str
    cells: list[Cell]
    better: str


class PercentileBlock(NamedTuple):
    """The rows of an algorithm, and what they are of."""

    stroke: Stroke
    rows: list[PercentileRow]
    note: str


def percentile_blocks(percentiles: pa.Table, strokes: Mapping[str, Stroke]) -> list[PercentileBlock]:
    """A block for each algorithm."""
    found = []
    for algorithm, same in groupby(percentiles.to_pylist(), key=lambda row: row["algorithm"]):
        rows = list(same)
        shown = [PercentileRow(f"{row['measure']} {row['moment']}", _cells(row), _better(row)) for row in rows]
        found.append(PercentileBlock(strokes[algorithm], shown, " ".join(_notes(rows))))
    return found


def _cells(row: Mapping) -> list[Cell]:
    is_loss = row["measure"] == "loss"
    found = []
    for percent in PERCENTS:
        value, low, high = (row[f"p{percent}{end}"] for end in ("", "_min", "_max"))
        ends = format_two(low, high) if is_loss else format_two(100 * low, 100 * high)
        spread = f"{ends[0]} … {ends[1]}{' %' * (not is_loss)}" if row["num_seeds"] > 1 else ""
        found.append(Cell(format_value(value) if is_loss else format_percent(value), spread))
    return found


def _better(row: Mapping) -> str:
    return "" if row["share_better"] is None else format_percent(row["share_better"])


def _notes(rows: Sequence[Mapping]) -> Iterator[str]:
    groups, seeds = rows[0]["num_groups"], rows[0]["num_seeds"]
    of_seeds = f" of {format_number_of(seeds, 'seed')} together" * (seeds > 1)
    yield f"{format_number_of(groups, 'group')}{of_seeds}."
    for row in rows:
        if bad := row["num_not_finite"]:
            name = f"{row['measure'].capitalize()} {row['moment']}"
            yield f"{name} is not a finite number in {format_count(bad)} ({format_share(bad, groups)})."
    if without := rows[0]["num_without_targets"]:
        yield f"Left out: {format_count(without)} without targets."


class TriedRow(NamedTuple):
    """The rates that an algorithm and seed tried: by rate, the mean loss after, and whether it was chosen."""

    stroke: Stroke
    seed: str
    losses: list[tuple[str, bool]]
    note: str


class TriedTable(NamedTuple):
    """All rates that were tried. `rows` are of algorithms and seeds."""

    rates: list[str]
    rows: Fitting


def tried_table(tried: Sequence[TriedRate], rates: Rates, strokes: Mapping[str, Stroke]) -> TriedTable:
    """How the rates were chosen."""
    every = sorted({one.rate for one in tried})
    by_key = {key: list(same) for key, same in groupby(tried, key=lambda one: (one.algorithm, one.seed))}
    keys = sorted(by_key, key=lambda key: (list(strokes).index(key[0]), key[1]))
    rows = [_tried_row(by_key[key], rates[key], every, strokes[key[0]]) for key in keys[:MAX_TRIED]]
    return TriedTable(list(map(format_rate, every)), Fitting(rows, len(keys) - len(rows)))


def _tried_row(tried: Sequence[TriedRate], chosen: float, every: Sequence[float], stroke: Stroke) -> TriedRow:
    found = {one.rate: one for one in tried}
    losses = [(_tried_words(found.get(rate)), rate == chosen) for rate in every]
    return TriedRow(stroke, str(tried[0].seed), losses, _edge_note([one.rate for one in tried], chosen))


def _tried_words(one: TriedRate | None) -> str:
    if one is None or not one.num_groups:
        return "none"
    bad = one.num_groups - one.num_finite
    words = [format_value(one.mean_loss)] * (one.mean_loss is not None)
    words += [f"{format_count(bad)} NaN"] * (bad > 0)
    return ", ".join(words)


def _edge_note(tried: Sequence[float], chosen: float) -> str:
    """What is not known where the choice is at an end.

    >>> _edge_note([0.01, 0.1], 0.1), _edge_note([0.01, 0.1, 1.0], 0.1), _edge_note([0.1], 0.1)
    ('the highest that was tried', '', 'the only one that was tried')
    """
    if len(tried) == 1:
        return "the only one that was tried"
    return {max(tried): "the highest that was tried", min(tried): "the lowest that was tried"}.get(chosen, "")
