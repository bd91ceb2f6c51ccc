"""Several features together: all examples that agree in each of them are a group."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ConfigDict, Field

from partitioners.keys import key_bytes
from partitioners.partitioner import ExampleIds, RulePartitioner
from partitioners.words import listed


class ByComposite(RulePartitioner):
    """One group for each combination of values, such as of author and year.

    The group id is the values with slashes between them: "austen/1813". A slash in a value is written %2F, and a
    percent sign %25, as in a URL; so ("a", "bc") and ("ab", "c"), or ("a/b", "c") and ("a", "b/c"), are two groups. An
    example in which one of the values is null or empty has no group.

    Source: the tuples that Dataset Grouper's get_key_fn may return (Charles et al. 2023, "Towards Federated
    Foundation Models"); a tuple has no one form as bytes, ours does.
    """

    model_config = ConfigDict(title="Features")

    kind: Literal["composite"] = "composite"
    features: list[str] = Field(
        min_length=2, description="The features whose values make the group id, in this order, such as author and year."
    )

    @property
    def in_words(self) -> str:
        """See `Partitioner.in_words`."""
        return f"One group for each combination of values of {listed(self.features)}."

    @property
    def reads(self) -> frozenset[str]:
        """See `Partitioner.reads`."""
        return frozenset(self.features)

    def assign(self, batch: pa.RecordBatch, ids: ExampleIds) -> pa.Array:
        """See `Rule.assign`."""
        parts = [_escaped(key_bytes(batch.column(name), name)) for name in self.features]
        return pc.binary_join_element_wise(*parts, b"/")


def _escaped(keys: pa.Array) -> pa.Array:
    """The keys without slashes; null where they are empty."""
    coded = pc.if_else(pc.equal(pc.binary_length(keys), 0), None, keys).dictionary_encode()
    names = pc.replace_substring(pc.replace_substring(coded.dictionary, b"%", b"%25"), b"/", b"%2F")
    return names.take(coded.indices)
