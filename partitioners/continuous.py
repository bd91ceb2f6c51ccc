"""By a real number, more or less strictly: from groups at random to groups of neighbours."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ConfigDict, Field

from groupstream import ExampleError, SpecError
from partitioners.blend import Scale, blend_quantiles
from partitioners.histogram import Histogram, count_values, merge_histograms, ordered_keys
from partitioners.numbered import numbered
from partitioners.partitioner import CountingPartitioner, ExampleIds, Rule
from partitioners.seeded import Seeded
from partitioners.sizes import GroupSizes
from partitioners.words import counted, quoted


class ByContinuous(Seeded, CountingPartitioner):
    """Groups of about equal size along a number: strictness * number + (1 - strictness) * noise, cut into intervals.

    The number is standardised, the noise standard normal. With strictness 0 the groups are random; with 1 the first
    group has the smallest numbers, and equal ones fall to either side of a border at random.

    Sizes: with strictness 1, off by no more than the examples of one of 262,144 bins, and by about the square root of
    the examples that equal a border; below 1, each example draws its own noise, so a group of n examples is off by
    about the square root of n, less the stricter it is.

    Source: Flower's ContinuousPartitioner. Theirs sorts all examples by the noisy number, for sizes that differ by one
    at most; ours sorts nothing, only cuts at the quantiles that follow from a histogram of the number.
    """

    model_config = ConfigDict(title="Real number")

    kind: Literal["continuous"] = "continuous"
    feature: str = Field(description="The feature that holds the number, such as length or age.")
    num_groups: int = Field(ge=1, le=100_000, description="How many groups.")
    strictness: float = Field(ge=0, le=1, description="0: at random; 0.5: number and noise weigh the same; 1: sorted.")

    @property
    def in_words(self) -> str:
        """See `Partitioner.in_words`."""
        groups, along = counted(self.num_groups, "group"), quoted(self.feature)
        return f"{groups} of about equal size along {along}, with strictness {self.strictness:g} (0 random, 1 sorted)."

    @property
    def reads(self) -> frozenset[str]:
        """See `Partitioner.reads`."""
        return frozenset([self.feature]) | self.reads_key

    def count(self, batch: pa.RecordBatch, ids: ExampleIds) -> Histogram:
        """See `CountingPartitioner.count`."""
        numbers, known = _numbers(batch, self.feature, ids)
        named = ~np.isnan(self.draw(batch, ids))
        return count_values(numbers[known & named], ids)

    def merge(self, counts: Iterable[Histogram]) -> Histogram:
        """See `CountingPartitioner.merge`."""
        return merge_histograms(counts)

    def fit(self, counts: Histogram) -> Rule:
        """See `CountingPartitioner.fit`."""
        num_examples = int(counts.counts.sum())
        ends = np.cumsum(GroupSizes(num_groups=self.num_groups).sizes_of(num_examples))
        if self.strictness == 1:
            before = np.cumsum(counts.counts) - counts.counts
            return SortedRule(self, counts.bits, counts.keys, counts.counts, before, ends)
        scale = Scale.of(counts.values, counts.counts)
        if not scale.deviation > 0 and self.strictness:
            raise SpecError(
                f"partitioner: feature {self.feature!r} is {counts.values[0]:g} in all examples, which cannot be "
                "told apart by it; name another, or write strictness: 0"
            )
        cuts = ends[:-1] / num_examples
        values = scale.standardised(counts.values) if self.strictness else counts.values
        borders = blend_quantiles(values, counts.counts, self.strictness, cuts)
        return BlendRule(self, scale, borders)


@dataclass(frozen=True, eq=False)
class SortedRule:
    """Groups of neighbours. An example's place in the order is interpolated within its bin.

    Attributes:
        partitioner: of the spec.
        bits: see `Histogram`.
        keys: see `Histogram`.
        counts: see `Histogram`.
        before: int64[num_bins], how many examples are in the bins before.
        ends: int64[num_groups], the first place that is no longer the group's.
    """

    partitioner: ByContinuous
    bits: int
    keys: np.ndarray
    counts: np.ndarray
    before: np.ndarray
    ends: np.ndarray

    def assign(self, batch: pa.RecordBatch, ids: ExampleIds) -> pa.Array:
        """See `Rule.assign`."""
        numbers, known = _numbers(batch, self.partitioner.feature, ids)
        words, shift = ordered_keys(numbers), 64 - self.bits
        bins = np.minimum(np.searchsorted(self.keys, words >> np.uint64(shift)), len(self.keys) - 1)
        low = (words & np.uint64((1 << shift) - 1)).astype(np.float64)
        draws = self.partitioner.draw(batch, ids, "place among equals")
        inside = (low + np.nan_to_num(draws)) * 2.0**-shift
        places = self.before[bins] + np.minimum(inside * self.counts[bins], self.counts[bins] - 1).astype(np.int64)
        groups = np.searchsorted(self.ends, places, side="right")
        return numbered(np.where(known & ~np.isnan(draws), groups, -1), len(self.ends))


@dataclass(frozen=True, eq=False)
class BlendRule:
    """Groups are intervals of the blend of number and noise.

    Attributes:
        partitioner: of the spec.
        scale: of the number.
        borders: float64[num_groups - 1], ascending.
    """

    partitioner: ByContinuous
    scale: Scale
    borders: np.ndarray

    def assign(self, batch: pa.RecordBatch, ids: ExampleIds) -> pa.Array:
        """See `Rule.assign`."""
        from scipy.special import ndtri  # takes a moment to import

        numbers, known = _numbers(batch, self.partitioner.feature, ids)
        strictness = self.partitioner.strictness
        blend = (1 - strictness) * ndtri(self.partitioner.draw(batch, ids, "noise") + 2.0**-54)
        if strictness:
            blend += strictness * self.scale.standardised(numbers)
        groups = np.searchsorted(self.borders, blend, side="right")
        return numbered(np.where(known & ~np.isnan(blend), groups, -1), len(self.borders) + 1)


def _numbers(batch: pa.RecordBatch, feature: str, ids: ExampleIds) -> tuple[np.ndarray, np.ndarray]:
    """float64[num_examples], and bool[num_examples]: whether there is a number; it is 0 where there is none."""
    column = batch.column(feature)
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_boolean(column.type)):
        raise SpecError(f"partitioner: feature {feature!r} is {column.type}, which is no number; name one that is")
    known = column.is_valid().to_numpy(zero_copy_only=False)
    filled = pc.fill_null(column.cast(pa.float64(), safe=False), 0.0)
    numbers = filled.to_numpy(zero_copy_only=False)
    if not (finite := np.isfinite(numbers)).all():
        place = int(np.argmin(finite))
        raise ExampleError(
            f"partitioner: feature {feature!r} is {numbers[place]} in row {ids.rows[place] + 1:,} of piece "
            f"{ids.piece_index}, which has no place in an order; give it a check that drops such examples"
        )
    return numbers, known
