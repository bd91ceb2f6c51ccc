"""The groups that are reported: those that had no say in the choice of the rate, at the rate that was chosen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cards.training.rates import Rates
from cards.training.tables import as_evaluation, floats, order_algorithms
from groupstream.label_skew import Floats

MEASURES = ("loss", "accuracy")


@dataclass(frozen=True)
class Reported:
    """The reported groups of an algorithm and seed that have targets; what is not a finite number is NaN.

    Attributes:
        before: float64[num_groups], by measure.
        after: the same, after fine-tuning.
        num_without_targets: reported groups that are left out, as nothing can be measured on them.
    """

    algorithm: str
    seed: int
    group_ids: pa.ChunkedArray
    before: dict[str, Floats]
    after: dict[str, Floats]
    num_without_targets: int

    def is_better(self, measure: str) -> npt.NDArray[np.bool_]:
        """bool[num_groups]: lower loss or higher accuracy after than before; a NaN is no better than anything."""
        gained = self.after[measure] - self.before[measure]
        return gained < 0 if measure == "loss" else gained > 0

    def is_missing(self, measure: str) -> npt.NDArray[np.bool_]:
        """bool[num_groups]: before, after or both are NaN."""
        return np.isnan(self.before[measure]) | np.isnan(self.after[measure])


def reported_groups(evaluation: pa.Table, rates: Rates) -> list[Reported]:
    """Of each algorithm and seed that has any, algorithms in the order in which they are shown."""
    return list(_each(as_evaluation(evaluation), rates))


def _each(evaluation: pa.Table, rates: Rates) -> Iterator[Reported]:
    tested = evaluation.filter(pc.invert(evaluation["is_selection"]))
    for algorithm in order_algorithms(tested):
        ours = tested.filter(pc.equal(tested["algorithm"], algorithm))
        for seed in sorted(ours["seed"].unique().to_pylist()):
            is_chosen = pc.and_(pc.equal(ours["seed"], seed), pc.equal(ours["learning_rate"], rates[algorithm, seed]))
            yield _reported(algorithm, seed, ours.filter(is_chosen))


def _reported(algorithm: str, seed: int, table: pa.Table) -> Reported:
    measured = table.filter(pc.greater(table["num_targets"], 0))
    before, after = ({m: floats(measured, f"{m}_{moment}") for m in MEASURES} for moment in ("before", "after"))
    return Reported(algorithm, seed, measured["group_id"], before, after, len(table) - len(measured))
