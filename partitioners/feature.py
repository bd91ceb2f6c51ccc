"""The natural key: all examples with the same value of a feature are a group."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa
from pydantic import ConfigDict, Field

from partitioners.keys import key_bytes
from partitioners.partitioner import ExampleIds, RulePartitioner
from partitioners.words import quoted


class ByFeature(RulePartitioner):
    """One group for each value of a feature.

    Source: the natural partitions of McMahan et al. 2017 (speakers of Shakespeare), and of LEAF.
    """

    model_config = ConfigDict(title="Feature")

    kind: Literal["feature"] = "feature"
    feature: str = Field(description="The feature whose value is the group id, such as title, author or label.")

    @property
    def in_words(self) -> str:
        """See `Partitioner.in_words`."""
        return f"One group for each value of {quoted(self.feature)}."

    @property
    def reads(self) -> frozenset[str]:
        """See `Partitioner.reads`."""
        return frozenset([self.feature])

    def assign(self, batch: pa.RecordBatch, ids: ExampleIds) -> pa.Array:
        """See `Rule.assign`."""
        return key_bytes(batch.column(self.feature), self.feature)
