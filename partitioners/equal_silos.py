"""Exactly so many natural ids to one group."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ConfigDict, Field

from groupstream import SpecError
from partitioners.draws import seed_word
from partitioners.key_words import key_words
from partitioners.keys import key_bytes
from partitioners.numbered import numbered
from partitioners.partitioner import CountingPartitioner, ExampleIds
from partitioners.words import counted, quoted

MAX_IDS = 50_000_000
_PART_IDS = 4_000_000  # so many are gathered before they are merged

_RESTS = {
    "smaller": "the values that remain are a smaller one",
    "bigger": "the values that remain go to the others",
    "none": "the values that remain are in none",
}


class ByEqualSilos(CountingPartitioner):
    """All examples of exactly `ids_per_silo` natural ids, such as users, are a group: ids are dealt at random.

    Each distinct id is counted as a 64-bit hash, which depends on the seed; sorted by it, the ids are in random
    order, and every silo is an interval of hashes. Of 50 million ids, two have the same hash with a probability of
    less than 1 in 10,000; both are then in one silo, which has one id more.

    Source: cross-silo partitions, as of Flower's GroupedNaturalIdPartitioner: its modes allow-smaller, allow-bigger,
    strict and drop-reminder are rest: smaller, rest: bigger, and rest: none with missing: fail and missing: drop.
    Theirs takes ids in the order in which they come.
    """

    model_config = ConfigDict(title="Equal silos")

    kind: Literal["equal_silos"] = "equal_silos"
    missing: Literal["fail", "drop", "group"] = Field(
        "fail",
        description="What to do with the examples of ids that fill no silo (with rest: none), and with those that "
        "have no id: fail the build, drop and count them, or put all of them into one group.",
    )
    feature: str = Field(description="The feature that holds the natural id, such as author.")
    ids_per_silo: int = Field(ge=1, description="How many ids make a group.")
    rest: Literal["smaller", "bigger", "none"] = Field(
        "smaller",
        description="What becomes of the ids that fill no silo: smaller, they are a silo of fewer ids; bigger, they go "
        "to the other silos; none, they are in no silo, and missing says what follows.",
    )
    seed: int = Field(0, ge=-(1 << 63), lt=1 << 63, description="Another seed puts other ids together.")

    @property
    def in_words(self) -> str:
        """See `Partitioner.in_words`."""
        ids, rest = f"{counted(self.ids_per_silo, 'value')} of {quoted(self.feature)}", _RESTS[self.rest]
        return f"One group for every {ids}, put together at random; {rest}."

    @property
    def reads(self) -> frozenset[str]:
        """See `Partitioner.reads`."""
        return frozenset([self.feature])

    def count(self, batch: pa.RecordBatch, ids: ExampleIds) -> np.ndarray:
        """uint64[num_ids]: the hash of each id of the batch, ascending. See `CountingPartitioner.count`."""
        words, _ = hashed_ids(batch.column(self.feature), self.feature, self.seed)
        return np.unique(words)

    def merge(self, counts: Iterable[np.ndarray]) -> np.ndarray:
        """See `CountingPartitioner.merge`."""
        return merge_words(counts)

    def fit(self, counts: np.ndarray) -> EqualSilosRule:
        """See `CountingPartitioner.fit`."""
        whole, over = divmod(len(counts), self.ids_per_silo)
        if not whole:
            raise SpecError(
                f"partitioner: feature {self.feature!r} has {len(counts):,} values, "
                f"fewer than ids_per_silo: {self.ids_per_silo:,}; give a smaller number"
            )
        if over and self.rest == "none" and self.missing == "fail":
            raise SpecError(
                f"partitioner: of {len(counts):,} ids, {over:,} fill no silo of {self.ids_per_silo:,}; write missing: "
                "drop to leave them out, missing: group to make one group of them, or rest: smaller or rest: bigger"
            )
        return EqualSilosRule(self.feature, self.seed, counts[self._ends(whole, over) - 1])

    def _ends(self, whole: int, over: int) -> np.ndarray:
        """int64[num_silos]: how many ids are in each silo and those before it."""
        sizes = np.full(whole, self.ids_per_silo)
        if self.rest == "bigger":
            more, one_more = divmod(over, whole)
            sizes += more + (np.arange(whole) < one_more)
        if self.rest == "smaller" and over:
            sizes = np.append(sizes, over)
        return np.cumsum(sizes)


@dataclass(frozen=True, eq=False)
class EqualSilosRule:
    """Which silo each id is in.

    Attributes:
        feature: the natural id.
        seed: of the hashes.
        last_words: uint64[num_silos], the largest hash in each silo; ascending.
    """

    feature: str
    seed: int
    last_words: np.ndarray

    def assign(self, batch: pa.RecordBatch, ids: ExampleIds) -> pa.Array:
        """See `Rule.assign`."""
        words, codes = hashed_ids(batch.column(self.feature), self.feature, self.seed)
        silos = np.append(np.searchsorted(self.last_words, words), -1)
        return numbered(silos[codes], len(self.last_words))


def hashed_ids(column: pa.Array, name: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The hash of each distinct value, and which of them each example has.

    Returns:
        uint64[num_distinct]; int64[num_examples], positions in it, or -1 for a value that is null or empty.
    """
    values = key_bytes(column, name)
    coded = pc.if_else(pc.equal(pc.binary_length(values), 0), None, values).dictionary_encode()
    words = key_words(coded.dictionary, seed_word(seed, "silo of a key"))
    return words, pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False)


def merge_words(counts: Iterable[np.ndarray], max_ids: int = MAX_IDS) -> np.ndarray:
    """uint64[num_ids]: the hashes of all ids, ascending, each once. 8 bytes an id, three times that while it works.

    Raises:
        SpecError: there are more ids than can be kept.
    """
    merged, parts, waiting = np.empty(0, np.uint64), [], 0
    for part in counts:
        parts.append(part)
        waiting += len(part)
        if waiting > max(_PART_IDS, len(merged)):
            merged, parts, waiting = _union([merged, *parts], max_ids), [], 0
    return _union([merged, *parts], max_ids)


def _union(parts: list[np.ndarray], max_ids: int) -> np.ndarray:
    words = np.sort(np.concatenate(parts))
    words = words[np.append(words[1:] != words[:-1], True)] if len(words) else words
    if len(words) > max_ids:
        raise SpecError(
            f"partitioner: there are more than {max_ids:,} ids, too many to count; "
            "the partitioner silos deals any number of them, to silos that are equal on average"
        )
    return words
