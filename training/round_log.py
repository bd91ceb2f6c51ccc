"""The figures of each round of a trial: a CSV file that can be read while it grows, and TensorBoard's events."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import pyarrow as pa
from tensorboardX import SummaryWriter

from groupstream import CorruptError
from training.data.packing import PackingCounts
from training.files import write_whole


@dataclass(frozen=True)
class RoundFigures:
    """A round.

    Attributes:
        round: from 0.
        loss_before: mean loss on the first batches of clients, at the model that they got; nats a target.
        loss_during: mean loss on all their batches, each at the model as it was then.
        accuracy_before: share of targets that the model found likeliest.
        num_steps: of all clients.
        update_norm: 2-norm of what the server's optimizer got.
        client_learning_rate, server_learning_rate: of this round.
        seconds: the round took, all in all.
        data_seconds: of these, waiting for clients and their way to the device.
        packing: what became of the clients of the round.
    """

    round: int
    loss_before: float
    loss_during: float
    accuracy_before: float
    num_steps: float
    update_norm: float
    client_learning_rate: float
    server_learning_rate: float
    seconds: float
    data_seconds: float
    packing: PackingCounts


FIGURES = tuple(field.name for field in fields(RoundFigures) if field.name != "packing")
COUNTS = tuple(field.name for field in fields(PackingCounts))


class RoundLog:
    """Writes the figures of rounds. A context manager.

    Args:
        folder: of the trial. `rounds.csv` and `tensorboard/` are in it.
        start_round: where the trial goes on: what later rounds left is taken out.

    Raises:
        CorruptError: the file lacks rounds before that.
    """

    def __init__(self, folder: Path, start_round: int) -> None:
        kept = [figures for figures in read_rounds(folder) if figures.round < start_round]
        if [figures.round for figures in kept] != list(range(start_round)):
            raise CorruptError(
                f"{folder}/rounds.csv lacks rounds before {start_round}; delete the folder and run again"
            )
        text = io.StringIO()
        csv.writer(text).writerows([(*FIGURES, *COUNTS), *map(_row, kept)])
        write_whole(folder / "rounds.csv", text.getvalue().encode())
        self._file = open(folder / "rounds.csv", "a", newline="")  # noqa: SIM115 - closed with the log
        self._rows = csv.writer(self._file)
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=start_round)

    def __enter__(self) -> RoundLog:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()
        self._board.close()

    def write(self, figures: RoundFigures) -> None:
        """A round more."""
        self._rows.writerow(_row(figures))
        self._file.flush()
        for name in FIGURES[1:]:
            self._board.add_scalar(name, getattr(figures, name), figures.round)

    def sync(self) -> None:
        """Returns when all that was written is on disk."""
        os.fsync(self._file.fileno())


def read_rounds(folder: Path) -> list[RoundFigures]:
    """The rounds of a trial; none where it has not begun. A last line that was cut off is left out."""
    path = folder / "rounds.csv"
    if not path.exists():
        return []
    text = path.read_text()
    rows = csv.reader(text[: text.rfind("\n") + 1].splitlines()[1:])
    return [_figures(row) for row in rows]


def rounds_table(label: str, seed: int, rounds: Sequence[RoundFigures]) -> pa.Table:
    """The rounds of a trial as a table: `algorithm`, `seed`, and the columns of its CSV file."""
    columns = {name: [getattr(figures, name) for figures in rounds] for name in FIGURES}
    counts = {name: [getattr(figures.packing, name) for figures in rounds] for name in COUNTS}
    return pa.table({"algorithm": [label] * len(rounds), "seed": [seed] * len(rounds), **columns, **counts})


def _row(figures: RoundFigures) -> tuple[float, ...]:
    return (*(getattr(figures, name) for name in FIGURES), *astuple(figures.packing))


def _figures(row: Sequence[str]) -> RoundFigures:
    values, counts = row[: len(FIGURES)], row[len(FIGURES) :]
    figures: dict[str, float] = dict(zip(FIGURES[1:], map(float, values[1:]), strict=True))
    return RoundFigures(round=int(values[0]), packing=PackingCounts(*map(int, counts)), **figures)
