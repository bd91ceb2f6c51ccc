"""What the trials of a run found, read from their folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from training.data.packing import PackingCounts, total
from training.errors import DivergedError
from training.evaluation import read_held_out
from training.round_log import read_rounds, rounds_table
from training.trial import TrialEnding, TrialPlan


@dataclass(frozen=True)
class Results:
    """What trials found.

    Attributes:
        rounds: a row for each round of each trial; see `rounds_table`.
        evaluation: a row for each trial that did not diverge, held-out group and rate of fine-tuning; see `evaluate`.
        packing: what became of the clients of each trial, by its name.
        endings: how each ended, by its name.
        held_out: what became of the held-out groups, by reason.
    """

    rounds: pa.Table
    evaluation: pa.Table
    packing: dict[str, PackingCounts]
    endings: dict[str, TrialEnding]
    held_out: dict[str, int]

    @property
    def diverged(self) -> list[str]:
        """What there is to say of trials that diverged."""
        return [ending.diverged for ending in self.endings.values() if ending.diverged is not None]


def read_results(plans: Sequence[TrialPlan]) -> Results:
    """The results of trials that are done.

    Raises:
        DivergedError: all of them diverged.
    """
    rounds, evaluations, packing, endings = [], [], {}, {}
    held_out: dict[str, int] = {}
    for plan in plans:
        label, seed, ending = plan.algorithm.label, plan.seed, plan.ending()
        assert ending is not None, "it is done"
        figures, endings[plan.name] = read_rounds(plan.folder), ending
        rounds.append(rounds_table(label, seed, figures))
        packing[plan.name] = total(one.packing for one in figures)
        if ending.diverged is None:
            table, held_out = read_held_out(plan.evaluation_file)
            evaluations.append(_with_trial(table, label, seed))
    if not evaluations:
        raise DivergedError("; ".join(ending.diverged or "" for ending in endings.values()))
    return Results(pa.concat_tables(rounds), pa.concat_tables(evaluations), packing, endings, held_out)


def _with_trial(table: pa.Table, label: str, seed: int) -> pa.Table:
    num_rows = len(table)
    columns = {"algorithm": pa.array([label] * num_rows, pa.string()), "seed": pa.array([seed] * num_rows, pa.int64())}
    return pa.table({**columns, **{name: table.column(name) for name in table.column_names}})
