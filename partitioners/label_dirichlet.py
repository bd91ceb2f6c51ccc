"""Groups that differ in their labels: the examples of each label are shared out unevenly."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa
from pydantic import ConfigDict, Field

from partitioners.dirichlet_bounds import dirichlet_bounds
from partitioners.keys import key_bytes
from partitioners.numbered import numbered
from partitioners.partitioner import ExampleIds, RulePartitioner
from partitioners.seeded import Seeded
from partitioners.shares import choose_by_code
from partitioners.strata import local_codes
from partitioners.words import counted, quoted


class ByLabelDirichlet(Seeded, RulePartitioner):
    """For each label, the shares of its examples over groups ~ Dirichlet(alpha); each example draws its group by them.

    Both the labels and the sizes of groups differ: for groups of equal sizes see `dirichlet_fixed_sizes`. An example
    without a label has no group.

    Source: Yurochkin et al. 2019, "Bayesian Nonparametric Federated Learning of Neural Networks", section 4; Li et al.
    2022, "Federated Learning on Non-IID Data Silos: An Experimental Study" (NIID-Bench), section 3. Theirs cut the list
    of a label's examples by the shares, and draw again until every group has some minimum of examples, which for a
    small alpha and many groups may never end. Ours draws once, needs no list, and leaves groups as small as they come,
    some perhaps empty; checks.groups says what is refused.
    """

    model_config = ConfigDict(title="Dirichlet")

    kind: Literal["label_dirichlet"] = "label_dirichlet"
    feature: str = Field("label", description="The feature that holds the label.")
    num_groups: int = Field(ge=1, le=1_000_000, description="How many groups. Some may stay empty.")
    alpha: float = Field(
        gt=0,
        le=1e9,
        description="How evenly a label is shared out: towards 0 all its examples are in one group, 0.1 gives a few "
        "groups most of them, 1 makes all ways to share it equally likely, 100 about the same share to every group.",
    )

    @property
    def in_words(self) -> str:
        """See `Partitioner.in_words`."""
        groups = counted(self.num_groups, "group")
        return (
            f"The examples of each value of {quoted(self.feature)} are shared out over {groups}, by shares drawn from "
            f"a Dirichlet distribution with alpha {self.alpha:g}."
        )

    @property
    def reads(self) -> frozenset[str]:
        """See `Partitioner.reads`."""
        return self.reads_key | {self.feature}

    def assign(self, batch: pa.RecordBatch, ids: ExampleIds) -> pa.Array:
        """See `Rule.assign`."""
        codes, labels = local_codes(key_bytes(batch.column(self.feature), self.feature))
        bounds = dirichlet_bounds(self.alpha, self.num_groups, self.seed)
        groups = choose_by_code(codes, self.draw(batch, ids), lambda code: bounds(labels[code]))
        return numbered(groups, self.num_groups)
