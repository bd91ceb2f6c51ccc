"""Which groups take part in training, and which are held out."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from groupstream import Dataset, GroupStream, Split, UsageError
from groupstream.group_rows import GroupRows
from groupstream.index import GroupIndex
from groupstream.selection import EVERYTHING, Selection

DivideBy = Literal["splits", "hash"]

_BLOCK_GROUPS = 1 << 16


@dataclass(frozen=True)
class DividedGroups:
    """The groups of a version, divided: none is in both.

    Attributes:
        training: those that take part.
        held_out: those that do not, for validation.
        rule: how they were divided, in words.
    """

    training: GroupStream
    held_out: GroupStream
    rule: str


@dataclass(frozen=True)
class DrawnGroups(Selection):
    """Groups by a draw for each, a function of a seed and its id: the same in every version that has the group.

    Attributes:
        seed: of the draws.
        fraction: about this share of groups is held out, in [0, 1].
        is_held_out: whether these are the groups that are held out, or the others.
    """

    seed: int = 0
    fraction: float = 0.0
    is_held_out: bool = False

    def __and__(self, other: Selection) -> DrawnGroups:
        both = super().__and__(other)
        return replace(self, min_examples=both.min_examples, max_examples=both.max_examples, group_ids=both.group_ids)

    def apply(self, rows: GroupRows) -> GroupRows:
        """The rows that were drawn and pass the bounds of sizes."""
        rows = super().apply(rows)
        return rows.take(np.flatnonzero(self._are_drawn(rows.group_ids)))

    def rows(self, index: GroupIndex) -> np.ndarray:
        """See `Selection`. About 1 us a group, for its draw; once, however many trials ask for them."""
        return _rows_of(self, index)

    def draw_rows(self, index: GroupIndex) -> np.ndarray:
        """The same, drawn anew."""
        found = super().rows(index)
        blocks = (found[start : start + _BLOCK_GROUPS] for start in range(0, len(found), _BLOCK_GROUPS))
        drawn = [block[self._are_drawn(index.rows(block).group_ids)] for block in blocks]
        rows = np.concatenate([found[:0], *drawn])
        rows.flags.writeable = False
        return rows

    def _are_drawn(self, group_ids: Iterable[bytes]) -> np.ndarray:
        return (draw_for_groups(group_ids, self.seed) < self.fraction) == self.is_held_out


@functools.lru_cache(maxsize=2)  # the groups that take part, and those that are held out
def _rows_of(groups: DrawnGroups, index: GroupIndex) -> np.ndarray:
    return groups.draw_rows(index)


def draw_for_groups(group_ids: Iterable[bytes], seed: int) -> np.ndarray:
    """float64[num_groups] in [0, 1): a uniform number for each group."""
    key = (seed & (1 << 64) - 1).to_bytes(8, "little")
    digests = b"".join(
        hashlib.blake2b(group_id, digest_size=8, key=key, person=b"held out").digest() for group_id in group_ids
    )
    return (np.frombuffer(digests, "<u8") >> np.uint64(11)) * 2.0**-53


def divide_groups(
    dataset: Dataset,
    *,
    by: DivideBy | None = None,
    training_split: str = "train",
    held_out_split: str | None = None,
    fraction: float = 0.1,
    seed: int = 0,
) -> DividedGroups:
    """Which groups of a version take part, and which are held out. Reads the index only.

    Args:
        by: `splits`, as the version has them; or `hash`, a draw for each group of the training split. Default: splits
            where there is one of groups to hold out.
        training_split: whose groups take part. A version with a single split needs no name.
        held_out_split: the split of those that are held out. Default: test, else validation.
        fraction: with `hash`, the share that is held out, above 0 and below 1; each group is drawn by itself, so of
            10,000 groups about 1,000 are held out with 0.1, not exactly.
        seed: of the draws.

    Raises:
        UsageError: there are no such splits, they share groups, or one side has no group.
        UnknownKeyError: there is no split of a name that was given.
    """
    if by not in (None, "splits", "hash"):
        raise UsageError(f"by is {by!r}; it is splits or hash")
    training = next(iter(dataset.values())) if len(dataset) == 1 else dataset[training_split]
    held_out_split = held_out_split or next((name for name in ("test", "validation") if name in dataset), None)
    if by == "hash" or (by is None and held_out_split in (None, training.name)):
        return _by_hash(training, fraction, seed)
    if held_out_split in (None, training.name):
        raise UsageError(
            f"{dataset.manifest.ref} has the splits {', '.join(dataset)}, none of them of groups to hold out; "
            "divide its groups by hash, or build it with splits: {by: group, ...}"
        )
    return _by_splits(training, dataset[held_out_split])


def _by_splits(training: Split, held_out: Split) -> DividedGroups:
    shared = 0
    for start in range(0, held_out.num_groups, _BLOCK_GROUPS):
        numbers = np.arange(start, min(start + _BLOCK_GROUPS, held_out.num_groups))
        shared += int((training.index.find(held_out.index.rows(numbers).group_ids) >= 0).sum())
    if shared:
        raise UsageError(
            f"{shared:,} of {held_out.num_groups:,} groups of {held_out.ref} {held_out.name} are in {training.name}, "
            "too, so they are not held out; divide the groups by hash"
        )
    return _checked(DividedGroups(training.stream(), held_out.stream(), f"splits {training.name} and {held_out.name}"))


def _by_hash(split: Split, fraction: float, seed: int) -> DividedGroups:
    if not 0 < fraction < 1:
        raise UsageError(f"fraction is {fraction}; it should be above 0 and below 1")
    training, held_out = (
        replace(split.stream(), selection=DrawnGroups(seed=seed, fraction=fraction, is_held_out=is_held_out))
        for is_held_out in (False, True)
    )
    return _checked(
        DividedGroups(training, held_out, f"{fraction:g} of the groups of {split.name} held out by seed {seed}")
    )


def _checked(divided: DividedGroups) -> DividedGroups:
    for name, stream in (("take part", divided.training), ("are held out", divided.held_out)):
        if not count_groups(stream):
            raise UsageError(
                f"no groups of {stream.split.ref} {name} with this rule: {divided.rule}; "
                "choose another fraction, seed or split"
            )
    return divided


def count_groups(stream: GroupStream) -> int:
    """How many groups a stream has. Reads the index only."""
    if stream.selection == EVERYTHING:
        return stream.split.num_groups
    return len(stream.selection.rows(stream.split.index))
