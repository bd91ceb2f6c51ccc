"""What a report says of the rounds: pictures, the time they took, and what in them is not a number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cards.text import format_count, format_number_of, format_short_count
from cards.training.inks import Stroke
from cards.training.line_pictures import Lines, column_picture, line_picture
from cards.training.numbers import format_duration, format_percent, format_value
from cards.training.picture import Picture
from cards.training.tables import floats, order_algorithms
from groupstream.label_skew import Floats

_WATCHED = {"loss_before": "the loss before", "loss_during": "the loss during", "update_norm": "the norm of the update"}
_LATE = "loss-end"
_LOSSES = (
    (Lines("loss-rounds", "Loss before the round", "loss of a target"), "loss_before"),
    (Lines(_LATE, "The second half of it", "loss of a target", max_points=60), "loss_before"),
    (Lines("loss-targets", "Loss over targets seen", "loss of a target", over_targets=True), "loss_before"),
    (Lines("loss-during", "Loss during local steps", "loss of a target"), "loss_during"),
    (Lines("accuracy", "Accuracy before the round", "of the targets", is_share=True), "accuracy_before"),
    (Lines("update-norm", "Norm of the update", "norm"), "update_norm"),
)
_RATES = (
    (
        Lines("client-rate", "Learning rate of the clients", "", starts_at_zero=True),
        "client_learning_rate",
    ),
    (Lines("server-rate", "Learning rate of the server", "", starts_at_zero=True), "server_learning_rate"),
)
_TIME = Lines("seconds", "Time of a round", "seconds")
_WAITING = Lines("waiting", "Of it, waiting for data", "of the round", starts_at_zero=True, is_share=True)


def loss_pictures(rounds: pa.Table, strokes: Mapping[str, Stroke]) -> list[Picture]:
    """How training went; without what was not measured. Its second half, dwarfed by the first, has a picture too."""
    late = rounds.filter(pc.greater_equal(rounds["round"], (pc.max(rounds["round"]).as_py() or 0) // 2))
    tables = ((late if what.key == _LATE else rounds, what, column) for what, column in _LOSSES)
    return [p for table, what, column in tables if (p := column_picture(what, table, column, strokes))]


def rate_pictures(rounds: pa.Table, strokes: Mapping[str, Stroke]) -> list[Picture]:
    """The learning rates; without what was not measured."""
    return [p for what, column in _RATES if (p := column_picture(what, rounds, column, strokes))]


def time_pictures(rounds: pa.Table, strokes: Mapping[str, Stroke]) -> list[Picture]:
    """How long rounds took, and which share of that they waited."""
    seconds = floats(rounds, "seconds")
    pictures = (
        line_picture(_TIME, rounds, seconds, strokes),
        line_picture(_WAITING, rounds, _share(floats(rounds, "data_seconds"), seconds), strokes),
    )
    return [picture for picture in pictures if picture]


def _share(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)


class TimeRow(NamedTuple):
    """The time of an algorithm, of all seeds together."""

    stroke: Stroke
    rounds: str
    total: str
    median: str
    longest: str
    waiting: str
    targets_a_second: str


def time_rows(rounds: pa.Table, strokes: Mapping[str, Stroke]) -> list[TimeRow]:
    """Of each algorithm; a round whose time is not known makes the total NaN."""
    found = []
    for algorithm in order_algorithms(rounds):
        ours = rounds.filter(pc.equal(rounds["algorithm"], algorithm))
        seconds, total = floats(ours, "seconds"), float(floats(ours, "seconds").sum())
        found.append(
            TimeRow(
                strokes[algorithm],
                format_count(len(ours)),
                format_duration(total),
                format_duration(float(np.median(seconds))),
                format_duration(float(seconds.max())),
                format_percent(float(floats(ours, "data_seconds").sum()) / total if total else None),
                _a_second(float(floats(ours, "num_targets").sum()), total),
            )
        )
    return found


def _a_second(count: float, seconds: float) -> str:
    rate = count / seconds if seconds else float("nan")
    return format_short_count(round(rate)) if rate >= 100 else format_value(rate)


def not_finite(rounds: pa.Table, strokes: Mapping[str, Stroke]) -> list[str]:
    """Where something that has to be a number is none, in sentences."""
    return list(_not_finite(rounds, strokes))


def _not_finite(rounds: pa.Table, strokes: Mapping[str, Stroke]) -> Iterator[str]:
    for column, words in _WATCHED.items():
        is_bad = np.isnan(floats(rounds, column))
        if is_bad.all():  # it was not measured, and there is no picture of it
            continue
        bad = (
            rounds.filter(pa.array(is_bad))
            .group_by(["algorithm", "seed"])
            .aggregate([("round", "min"), ([], "count_all")])
        )
        for algorithm, seed, first, count in sorted(tuple(row.values()) for row in bad.to_pylist()):
            yield (
                f"{strokes[algorithm].name}, seed {seed}: {words} is not a finite number in "
                f"{format_number_of(count, 'round')}, first in round {format_count(first)}."
            )
