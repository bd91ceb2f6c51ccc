"""Groups that are alike: every example falls into any of them with the same chance."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa
from pydantic import ConfigDict, Field

from partitioners.numbered import numbered
from partitioners.partitioner import ExampleIds, RulePartitioner
from partitioners.seeded import Seeded
from partitioners.words import counted


class ByIid(Seeded, RulePartitioner):
    """Each example in one of `num_groups` groups, by a draw of its own.

    Source: the i.i.d. partition of McMahan et al. 2017, "Communication-Efficient Learning of Deep Networks from
    Decentralized Data", section 3. Theirs shuffles a list of all examples and cuts it into equal parts; ours draws
    for each example, so sizes vary by about the square root of their mean. For equal sizes: `fixed_sizes`.
    """

    model_config = ConfigDict(title="IID")

    kind: Literal["iid"] = "iid"
    num_groups: int = Field(ge=1, le=1 << 40, description="How many groups. With few examples some may stay empty.")

    @property
    def in_words(self) -> str:
        """See `Partitioner.in_words`."""
        return f"Each example in one of {counted(self.num_groups, 'group')} by a draw, all groups alike."

    @property
    def reads(self) -> frozenset[str]:
        """See `Partitioner.reads`."""
        return self.reads_key

    def assign(self, batch: pa.RecordBatch, ids: ExampleIds) -> pa.Array:
        """See `Rule.assign`."""
        draws = self.draw(batch, ids)
        groups = np.nan_to_num(draws * self.num_groups, nan=-1.0).astype(np.int64)
        return numbered(groups, self.num_groups)
