"""Which rate of fine-tuning each algorithm gets: chosen on some groups, reported on others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from cards.training.tables import as_evaluation
from groupstream.errors import UsageError

Rates = dict[tuple[str, int], float]


class TriedRate(NamedTuple):
    """How a rate did on the selection groups of an algorithm and seed.

    Attributes:
        num_groups: selection groups with targets.
        num_finite: of these, how many have a loss after fine-tuning that is a finite number.
        mean_loss: of those; None where there is none.
    """

    algorithm: str
    seed: int
    rate: float
    num_groups: int
    num_finite: int
    mean_loss: float | None

    @property
    def rank(self) -> tuple[int, float, float]:
        """The least is chosen: most groups with a number, then the lowest loss, then the lowest rate."""
        return -self.num_finite, float("inf") if self.mean_loss is None else self.mean_loss, self.rate


def choose_rates(evaluation: pa.Table) -> Rates:
    """The rate of fine-tuning with the smallest mean loss after it over the selection groups, by algorithm and seed.

    Each selection group with targets counts alike. A rate that leaves some group without a finite loss comes after any
    that does not. Where only one rate was tried, no selection group is needed.

    Args:
        evaluation: as `EVALUATION_SCHEMA`.

    Raises:
        UsageError: there are several rates and no selection group to choose by.
    """
    return dict(_choose(tried_rates(evaluation)))


def tried_rates(evaluation: pa.Table) -> list[TriedRate]:
    """Each rate of each algorithm and seed, in this order."""
    table = as_evaluation(evaluation)
    counts = pc.and_(table["is_selection"], pc.greater(table["num_targets"], 0))
    is_finite = pc.and_(counts, pc.fill_null(pc.is_finite(table["loss_after"]), False))
    losses = pc.if_else(is_finite, table["loss_after"], pa.scalar(None, pa.float64()))
    marked = table.select(["algorithm", "seed", "learning_rate"])
    marked = marked.append_column("group", pc.cast(counts, pa.int64())).append_column("loss", losses)
    keys = ["algorithm", "seed", "learning_rate"]
    totals = marked.group_by(keys).aggregate([("group", "sum"), ("loss", "count"), ("loss", "mean")])
    return [TriedRate(*row.values()) for row in totals.sort_by([(key, "ascending") for key in keys]).to_pylist()]


def _choose(tried: Iterable[TriedRate]) -> Iterator[tuple[tuple[str, int], float]]:
    for (algorithm, seed), found in groupby(tried, key=lambda one: (one.algorithm, one.seed)):
        rates = list(found)
        if len(rates) > 1 and not any(one.num_groups for one in rates):
            raise UsageError(
                f"{algorithm}, seed {seed}: {len(rates)} rates of fine-tuning were tried, and there is no group "
                "to choose one by; mark some groups with targets as is_selection, or try one rate"
            )
        yield (algorithm, seed), min(rates, key=lambda one: one.rank).rate
