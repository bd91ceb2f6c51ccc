"""Groups within groups: first by the value of a feature, then at random within each value."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ConfigDict, Field

from partitioners.dirichlet_bounds import dirichlet_bounds
from partitioners.keys import key_bytes
from partitioners.numbered import numbered
from partitioners.partitioner import ExampleIds, RulePartitioner
from partitioners.seeded import Seeded
from partitioners.shares import choose_by_code
from partitioners.strata import local_codes
from partitioners.words import counted, quoted


class ByTwoLevels(Seeded, RulePartitioner):
    """The examples of each value in `num_groups` groups of its own, with shares ~ Dirichlet(alpha).

    The group id is the value, a slash and a number: "label/3". So a group has one label, and there are as many groups
    as labels times `num_groups`. An example without a value has no group.

    Source: a fixed first level of the Pachinko allocation by which Reddi et al. 2021, "Adaptive Federated
    Optimization", appendix F, partition CIFAR-100 along its coarse and fine labels. In theirs each client mixes values
    of both levels; in ours each has one of the first, and the draw says only how large it is.
    """

    model_config = ConfigDict(title="Two levels")

    kind: Literal["two_level"] = "two_level"
    feature: str = Field("label", description="The feature of the first level, such as label or author.")
    num_groups: int = Field(ge=1, le=1_000_000, description="How many groups for each value. Some may stay empty.")
    alpha: float = Field(
        gt=0,
        le=1e9,
        description="How alike the sizes of a value's groups are: towards 0 one has all examples, 1 any sizes alike, "
        "1000 about the same size.",
    )

    @property
    def in_words(self) -> str:
        """See `Partitioner.in_words`."""
        groups = counted(self.num_groups, "group")
        return (
            f"The examples of each value of {quoted(self.feature)} in {groups} of its own, with shares drawn from a "
            f"Dirichlet distribution with alpha {self.alpha:g}."
        )

    @property
    def reads(self) -> frozenset[str]:
        """See `Partitioner.reads`."""
        return self.reads_key | {self.feature}

    def assign(self, batch: pa.RecordBatch, ids: ExampleIds) -> pa.Array:
        """See `Rule.assign`."""
        keys = key_bytes(batch.column(self.feature), self.feature)
        codes, values = local_codes(keys)
        bounds = dirichlet_bounds(self.alpha, self.num_groups, self.seed)
        groups = choose_by_code(codes, self.draw(batch, ids), lambda code: bounds(values[code]))
        return pc.binary_join_element_wise(keys, numbered(groups, self.num_groups), b"/")
