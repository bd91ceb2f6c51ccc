"""Groups of exact sizes, each with a mixture of labels of its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from pydantic import ConfigDict, Field

from groupstream import SpecError
from partitioners.allocation import allocate
from partitioners.draws import generator
from partitioners.keys import key_bytes
from partitioners.numbered import numbered
from partitioners.partitioner import CountingPartitioner, ExampleIds
from partitioners.ranks import Ranks
from partitioners.sizes import GroupSizes, missing_rest, refuse_rest
from partitioners.strata import StratumCounts, count_strata, merge_strata
from partitioners.words import quoted

MAX_CELLS = 50_000_000


class ByDirichletFixedSizes(GroupSizes, CountingPartitioner):
    """Each group draws a mixture of labels q ~ Dirichlet(alpha p), then exactly its number of examples by q.

    Examples are drawn without replacement. When a label is used up, what a group still needs follows the rest of its
    mixture; so the last groups get what the others left, and are less like their q. Group sizes and label counts are
    exact for every alpha.

    Source: Hsu, Qi and Brown 2019, "Measuring the Effects of Non-Identical Data Distribution for Federated Visual
    Classification", section 3.1; p is the prior over labels. Theirs draws one example after the other; ours a group
    at once, which is the same distribution, and keeps logarithms of shares, so that it ends for any alpha. FedLab's
    client_inner_dirichlet_partition has alpha for each label: with prior uniform, that is our alpha divided by the
    number of labels.
    """

    model_config = ConfigDict(title="Dirichlet, fixed sizes")

    kind: Literal["dirichlet_fixed_sizes"] = "dirichlet_fixed_sizes"
    missing: Literal["fail", "drop", "group"] = missing_rest()
    feature: str = Field("label", description="The feature that holds the label.")
    alpha: float = Field(
        ge=1e-6,
        le=1e9,
        description="How alike groups are: 0.1 gives most groups one or two labels, 1 a few, 100 about the prior.",
    )
    prior: Literal["data", "uniform"] = Field(
        "data", description="The mean mixture: the shares of labels in the data, or equal shares."
    )
    seed: int = Field(0, ge=-(1 << 63), lt=1 << 63, description="Another seed draws other mixtures and examples.")

    @property
    def in_words(self) -> str:
        """See `Partitioner.in_words`."""
        around = "their shares in the data" if self.prior == "data" else "equal shares"
        return (
            f"{self.sizes_in_words}; each draws its mixture of values of {quoted(self.feature)} from a Dirichlet "
            f"distribution with alpha {self.alpha:g} around {around}."
        )

    @property
    def reads(self) -> frozenset[str]:
        """See `Partitioner.reads`."""
        return frozenset([self.feature])

    def count(self, batch: pa.RecordBatch, ids: ExampleIds) -> StratumCounts:
        """See `CountingPartitioner.count`."""
        return count_strata(key_bytes(batch.column(self.feature), self.feature), ids)

    def merge(self, counts: Iterable[StratumCounts]) -> StratumCounts:
        """See `CountingPartitioner.merge`."""
        return merge_strata(counts)

    def fit(self, counts: StratumCounts) -> DirichletFixedSizesRule:
        """See `CountingPartitioner.fit`."""
        totals = counts.totals
        sizes = self.sizes_of(int(totals.sum()))
        if len(sizes) * len(totals) > MAX_CELLS:
            raise SpecError(
                f"partitioner: {len(sizes):,} groups of {len(totals):,} labels are more than {MAX_CELLS:,} numbers; "
                "ask for fewer groups, or name a feature with fewer values"
            )
        refuse_rest(int(totals.sum() - sizes.sum()), self.missing, "sizes that sum to all examples")
        shares = totals / totals.sum() if self.prior == "data" else np.full(len(totals), 1 / len(totals))
        taken = allocate(sizes, totals, self.alpha * shares, generator(self.seed, "mixtures of labels"))
        return DirichletFixedSizesRule.of(self.feature, Ranks.of(counts, self.seed), taken)


@dataclass(frozen=True, eq=False)
class DirichletFixedSizesRule:
    """Which places of each label belong to which group. Memory: 12 bytes for each pair of group and label that occurs.

    Attributes:
        feature: the label.
        num_groups: how many groups.
        ranks: of the examples of each label.
        groups: int32[num_intervals], for each label the groups in order; num_groups for what none has taken.
        ends: int64[num_intervals], the first place that is no longer the group's; ascending.
    """

    feature: str
    num_groups: int
    ranks: Ranks
    groups: np.ndarray
    ends: np.ndarray

    @classmethod
    def of(cls, feature: str, ranks: Ranks, taken: np.ndarray) -> DirichletFixedSizesRule:
        """The rule that gives each group what it has taken, int32[num_groups, num_labels]."""
        rest = ranks.counts.totals - taken.sum(axis=0)
        by_label = np.concatenate((taken, rest[None]), dtype=np.int64).T
        labels, groups = np.nonzero(by_label)
        return cls(feature, len(taken), ranks, groups.astype(np.int32), np.cumsum(by_label[labels, groups]))

    def assign(self, batch: pa.RecordBatch, ids: ExampleIds) -> pa.Array:
        """See `Rule.assign`."""
        places = self.ranks.places(key_bytes(batch.column(self.feature), self.feature), ids)
        groups = self.groups[np.searchsorted(self.ends, places, side="right")]
        return numbered(np.where(places < 0, -1, groups), self.num_groups)
