"""Groups of exactly the sizes that are asked for, of examples at random."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from pydantic import ConfigDict, Field

from partitioners.numbered import numbered
from partitioners.partitioner import CountingPartitioner, ExampleIds
from partitioners.ranks import Ranks
from partitioners.sizes import GroupSizes, missing_rest, refuse_rest
from partitioners.strata import StratumCounts, count_strata, merge_strata, same_stratum


class ByFixedSizes(GroupSizes, CountingPartitioner):
    """Exactly as many examples in each group as the spec says, drawn at random without replacement.

    Source: the balanced i.i.d. partition of McMahan et al. 2017, "Communication-Efficient Learning of Deep Networks
    from Decentralized Data", section 3 (100 clients of 600 examples); with `sizes`, any unbalanced one. Theirs
    shuffles a list of all examples; ours needs no list, only how many examples each batch holds.
    """

    model_config = ConfigDict(title="Fixed sizes")

    kind: Literal["fixed_sizes"] = "fixed_sizes"
    missing: Literal["fail", "drop", "group"] = missing_rest()
    seed: int = Field(0, ge=-(1 << 63), lt=1 << 63, description="Another seed draws other examples for each group.")

    @property
    def in_words(self) -> str:
        """See `Partitioner.in_words`."""
        return f"{self.sizes_in_words}, drawn at random without replacement."

    @property
    def reads(self) -> frozenset[str]:
        """See `Partitioner.reads`."""
        return frozenset()

    def count(self, batch: pa.RecordBatch, ids: ExampleIds) -> StratumCounts:
        """See `CountingPartitioner.count`."""
        return count_strata(same_stratum(len(ids.rows)), ids)

    def merge(self, counts: Iterable[StratumCounts]) -> StratumCounts:
        """See `CountingPartitioner.merge`."""
        return merge_strata(counts)

    def fit(self, counts: StratumCounts) -> FixedSizesRule:
        """See `CountingPartitioner.fit`."""
        num_examples = int(counts.totals.sum())
        ends = np.cumsum(self.sizes_of(num_examples))
        refuse_rest(num_examples - int(ends[-1]), self.missing, "sizes that sum to all examples")
        return FixedSizesRule(Ranks.of(counts, self.seed), ends)


@dataclass(frozen=True, eq=False)
class FixedSizesRule:
    """Group i has the examples with places from ends[i - 1] to ends[i].

    Attributes:
        ranks: of all examples.
        ends: int64[num_groups], ascending.
    """

    ranks: Ranks
    ends: np.ndarray

    def assign(self, batch: pa.RecordBatch, ids: ExampleIds) -> pa.Array:
        """See `Rule.assign`."""
        places = self.ranks.places(same_stratum(len(ids.rows)), ids)
        return numbered(np.searchsorted(self.ends, places, side="right"), len(self.ends))
