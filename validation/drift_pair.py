"""Two versions that are compared: what the drift checks ask of them, each read once and only if a check asks."""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from groupstream.dataset import Dataset
from groupstream.differences import Change, Differences, compare
from groupstream.label_differences import LabelDifferences, compare_labels, count_labels
from groupstream.version_differences import ids_of, sorted_groups
from validation.size_distance import SizeDistance, counting_sizes, size_distance

MAX_OFFENDERS = 5


@dataclass(frozen=True)
class GroupDrift:
    """The groups of all splits together; a group that is in several of them counts once, with all its examples."""

    num_before: int
    num_after: int
    differences: Differences
    sizes: SizeDistance


class DriftPair:
    """An earlier version and what is held against it.

    The group tables are read a part at a time. Where the seeds of the two differ, their groups are sorted in memory,
    which takes about 60 bytes a group of both. Of the labels, each different one is held once.
    """

    def __init__(self, before: Dataset, after: Dataset) -> None:
        self.before = before
        self.after = after

    @property
    def before_ref(self) -> str:
        """`name@version` of the earlier one."""
        return self.before.manifest.ref

    @functools.cached_property
    def groups(self) -> GroupDrift:
        """What became of the groups, in one pass over the group tables of both."""
        by_seed = self.before.manifest.seed == self.after.manifest.seed
        counts: tuple[Counter[int], Counter[int]] = (Counter(), Counter())
        old, new = (
            counting_sizes(sorted_groups(list(side.values()), by_seed=by_seed), counted)
            for side, counted in zip((self.before, self.after), counts, strict=True)
        )
        found = compare(old, new, MAX_OFFENDERS)
        return GroupDrift(counts[0].total(), counts[1].total(), found, size_distance(*counts))

    def ids_of(self, changes: Sequence[Change]) -> list[bytes]:
        """The ids of groups of `groups.differences`."""
        return ids_of(changes, list(self.before.values()), list(self.after.values()))

    @functools.cached_property
    def num_examples(self) -> tuple[int, int]:
        """Examples of all splits, before and after. No I/O."""
        before, after = (sum(split.num_examples for split in side.values()) for side in (self.before, self.after))
        return before, after

    @functools.cached_property
    def labels(self) -> LabelDifferences:
        """What became of the labels of all examples. A version without label tables has no labels."""
        before, after = (count_labels(_label_batches(side)) for side in (self.before, self.after))
        return compare_labels(before, after, MAX_OFFENDERS)


def _label_batches(dataset: Dataset) -> Iterator[pa.RecordBatch]:
    files = [split.label_file for split in dataset.values()]
    return itertools.chain.from_iterable(file.batches(["label", "num_examples"]) for file in files if file is not None)
