"""Shards: examples sorted by label, cut into equal pieces, of which every group gets a few at random."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from pydantic import ConfigDict, Field, model_validator

from groupstream import SpecError
from groupstream.permutation import permute
from partitioners.keys import key_bytes
from partitioners.numbered import numbered
from partitioners.partitioner import CountingPartitioner, ExampleIds
from partitioners.ranks import Ranks
from partitioners.sizes import MAX_GROUPS, missing_rest, refuse_rest
from partitioners.strata import StratumCounts, count_strata, merge_strata
from partitioners.words import counted, quoted


class ByShards(CountingPartitioner):
    """Few labels in each group, by dealing each a few shards of the examples sorted by label.

    The order is that of the label's bytes, and at random within a label. A shard holds one label or two, as long as
    every label has at least a shard's examples; so k shards hold at most 2k labels.

    Source: the pathological partition of McMahan et al. 2017, "Communication-Efficient Learning of Deep Networks from
    Decentralized Data", section 3: 200 shards of 300 images of MNIST, two for each of 100 clients; and the options of
    Flower's ShardPartitioner. Where shards cannot be equal, ours differ by one example and nothing is lost; theirs
    leave the rest out. Theirs keeps the order of the source within a label.
    """

    model_config = ConfigDict(title="Label shards")

    kind: Literal["shards"] = "shards"
    missing: Literal["fail", "drop", "group"] = missing_rest()
    feature: str = Field("label", description="The feature that examples are sorted by, such as label.")
    num_groups: int = Field(ge=1, le=MAX_GROUPS, description="How many groups.")
    shards_per_group: int | None = Field(
        None, ge=1, description="How many shards each group gets. Default: all there are, dealt evenly."
    )
    shard_examples: int | None = Field(
        None, ge=1, description="How many examples a shard has. Default: so many that all examples are in shards."
    )
    keep_incomplete: bool = Field(
        True, description="With shard_examples: whether what remains at the end is a smaller shard, or no shard."
    )
    seed: int = Field(0, ge=-(1 << 63), lt=1 << 63, description="Another seed deals other shards to each group.")

    @model_validator(mode="after")
    def _shards_are_known(self) -> ByShards:
        if self.shards_per_group is None and self.shard_examples is None:
            raise ValueError("give shards_per_group, shard_examples or both; 2 shards per group are usual")
        return self

    @property
    def in_words(self) -> str:
        """See `Partitioner.in_words`."""
        size = "" if self.shard_examples is None else f" of {counted(self.shard_examples, 'example')}"
        dealt = "an equal number" if self.shards_per_group is None else f"{self.shards_per_group:,}"
        return (
            f"The examples, sorted by {quoted(self.feature)}, are cut into shards{size}; each of "
            f"{counted(self.num_groups, 'group')} is dealt {dealt} of them at random."
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

    def fit(self, counts: StratumCounts) -> ShardsRule:
        """See `CountingPartitioner.fit`."""
        num_examples = int(counts.totals.sum())
        shards = self._shards(num_examples)
        dealt = (self.shards_per_group or shards.num) * self.num_groups
        self._refuse_too_few(shards.num, num_examples)
        rule = ShardsRule(self.feature, self.num_groups, dealt, shards, Ranks.of(counts, self.seed))
        refuse_rest(num_examples - rule.num_dealt_examples(), self.missing, "other shards")
        return rule

    def _shards(self, num_examples: int) -> Shards:
        if self.shard_examples is None:
            return Shards(num_examples, self.num_groups * (self.shards_per_group or 1))
        whole, rest = divmod(num_examples, self.shard_examples)
        return Shards(num_examples, whole + bool(rest and self.keep_incomplete), self.shard_examples)

    def _refuse_too_few(self, num_shards: int, num_examples: int) -> None:
        wanted = self.num_groups * (self.shards_per_group or 1)
        if wanted > min(num_shards, num_examples):
            raise SpecError(
                f"partitioner: {self.num_groups:,} groups of {self.shards_per_group or 1:,} shards need {wanted:,} "
                f"shards; {num_examples:,} examples make {min(num_shards, num_examples):,}. "
                "Ask for fewer or smaller shards, or fewer groups"
            )


@dataclass(frozen=True)
class Shards:
    """Where shards begin and end in the sorted order of examples.

    Attributes:
        num_examples: how many are sorted.
        num: how many shards.
        examples: the size of each, but perhaps the last; None: as equal as can be, the first have one more.
    """

    num_examples: int
    num: int
    examples: int | None = None

    def of(self, places: np.ndarray) -> np.ndarray:
        """int64[n]: the shard at each place of the order; `num` where a place is in no shard."""
        if self.examples:
            return np.minimum(places // self.examples, self.num)
        size, larger = divmod(self.num_examples, self.num)
        past = places - larger * (size + 1)
        return np.where(past < 0, places // (size + 1), larger + past // max(size, 1))

    def sizes(self) -> np.ndarray:
        """int64[num]: examples of each shard."""
        if self.examples:
            return np.minimum(self.num_examples - np.arange(self.num) * self.examples, self.examples)
        size, larger = divmod(self.num_examples, self.num)
        return size + (np.arange(self.num) < larger)


@dataclass(frozen=True, eq=False)
class ShardsRule:
    """Which shard an example is in, and which group that was dealt to.

    Attributes:
        feature: the label.
        num_groups: how many groups.
        num_dealt: how many places of the shuffled shards are dealt, one group after the other.
        shards: of the sorted examples.
        ranks: of the examples of each label.
    """

    feature: str
    num_groups: int
    num_dealt: int
    shards: Shards
    ranks: Ranks

    def assign(self, batch: pa.RecordBatch, ids: ExampleIds) -> pa.Array:
        """See `Rule.assign`."""
        places = self.ranks.places(key_bytes(batch.column(self.feature), self.feature), ids)
        groups = self._groups(self.shards.of(np.maximum(places, 0)))
        return numbered(np.where(places < 0, -1, groups), self.num_groups)

    def num_dealt_examples(self) -> int:
        """How many examples have a group."""
        groups = self._groups(np.arange(self.shards.num))
        return int(self.shards.sizes()[groups >= 0].sum())

    def _groups(self, shards: np.ndarray) -> np.ndarray:
        """The group of each shard, -1 for one that was not dealt."""
        whole = shards < self.shards.num
        places = permute(shards[whole], self.shards.num, self.ranks.seed, "shards")
        groups = np.full(len(shards), -1)
        groups[whole] = np.where(places < self.num_dealt, places % self.num_groups, -1)
        return groups
