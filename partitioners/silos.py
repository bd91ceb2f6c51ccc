"""Several natural groups in one: about k users to a silo."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ConfigDict, Field

from partitioners.draws import seed_word, unit_floats
from partitioners.key_words import key_words
from partitioners.keys import key_bytes
from partitioners.numbered import numbered
from partitioners.partitioner import ExampleIds, RulePartitioner
from partitioners.words import counted, quoted


class BySilos(RulePartitioner):
    """Each value of a feature in one of `num_groups` silos, by a hash; all its examples are there.

    With 10,000 users and 100 silos, a silo has 100 users on average, and between 70 and 130 almost surely. For
    exactly k values in each: `equal_silos`.

    Source: the GroupedNaturalIdPartitioner of Flower Datasets, which lists the ids and cuts the list every k. A hash
    needs no list, and a user who is added later moves nobody else.
    """

    model_config = ConfigDict(title="Silos")

    kind: Literal["silos"] = "silos"
    feature: str = Field(description="The feature whose values are kept together, such as user or hospital.")
    num_groups: int = Field(ge=1, le=1 << 40, description="How many silos. With few values some may stay empty.")
    seed: int = Field(0, ge=-(1 << 63), lt=1 << 63, description="Another seed puts other values together.")

    @property
    def in_words(self) -> str:
        """See `Partitioner.in_words`."""
        groups = counted(self.num_groups, "group")
        return f"The values of {quoted(self.feature)} are dealt to {groups} by a hash; a group has all their examples."

    @property
    def reads(self) -> frozenset[str]:
        """See `Partitioner.reads`."""
        return frozenset([self.feature])

    def assign(self, batch: pa.RecordBatch, ids: ExampleIds) -> pa.Array:
        """See `Rule.assign`."""
        coded = key_bytes(batch.column(self.feature), self.feature).dictionary_encode()
        draws = unit_floats(key_words(coded.dictionary, seed_word(self.seed, "silo of a key")))
        silos = numbered((draws * self.num_groups).astype(np.int64), self.num_groups)
        named = pc.if_else(pc.equal(pc.binary_length(coded.dictionary), 0), None, silos)
        return named.take(coded.indices)
