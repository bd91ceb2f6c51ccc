"""What becomes of a group that is too small or too large: a function of its id, its size and the seed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from groupstream import ExampleError, SpecError
from groupstream.group_order import hash_group_ids
from groupstream.permutation import permute
from partitioners.splits import SplitByBoth, SplitByExample, SplitByGroup, Splits
from pipelines.regroup_filter import shown
from specs import Spec

PART_MARK = b"#"  # between the id of a group that is split and the number of a part


@dataclass(frozen=True)
class RegroupRule:
    """What a spec asks for, applied once to the groups as the partitioner made them.

    Attributes:
        min_examples: a group with less, over all splits, is small, unless `too_small` is fail.
        max_examples: a group with more is large, unless `too_large` is fail.
        merged_group: the name of the group of the small ones.
        merged_ids: by split, its id.
    """

    min_examples: int
    max_examples: int
    too_small: Literal["fail", "drop", "merge"]
    too_large: Literal["fail", "drop", "cap", "split"]
    merged_group: str
    merged_ids: tuple[bytes, ...]
    seed: int

    def is_small(self, sizes: np.ndarray) -> np.ndarray:
        """bool[num_groups]: whether there is something to do, since a group is too small."""
        return (sizes < self.min_examples) & (self.too_small != "fail")

    def is_large(self, sizes: np.ndarray) -> np.ndarray:
        """bool[num_groups]: whether there is something to do, since a group is too large."""
        return (sizes > self.max_examples) & (self.too_large != "fail") & ~self.is_small(sizes)

    def is_kept_in_part(self, sizes: np.ndarray) -> np.ndarray:
        """bool[num_groups]: whether examples of a group stay, but not in that group as it was."""
        small, large = self.is_small(sizes), self.is_large(sizes)
        return (small & (self.too_small == "merge")) | (large & (self.too_large != "drop"))

    def dropped(self, sizes: np.ndarray) -> Counter[str]:
        """Examples that are left out, by reason."""
        least, most = f"{self.min_examples:,}", f"{self.max_examples:,}"
        small, large = sizes[self.is_small(sizes)], sizes[self.is_large(sizes)]
        counts = Counter[str]()
        if self.too_small == "drop":
            counts[f"group below min_examples {least}"] = int(small.sum())
        if self.too_large == "drop":
            counts[f"group above max_examples {most}"] = int(large.sum())
        if self.too_large == "cap":
            counts[f"beyond max_examples {most} of a group"] = int((large - self.max_examples).sum())
        return +counts

    def regrouped(self, sizes: np.ndarray) -> Counter[str]:
        """Groups that do not stay as they were, by what is done."""
        least, most = f"{self.min_examples:,}", f"{self.max_examples:,}"
        what = {
            "drop": f"dropped, below min_examples {least}",
            "merge": f"merged into {shown(self.merged_group.encode())}",
        }
        what_of_large = {
            "drop": f"dropped, above max_examples {most}",
            "cap": f"capped at {most}",
            "split": f"split at {most}",
        }
        counts = Counter[str]()
        if self.too_small != "fail":
            counts[what[self.too_small]] = int(self.is_small(sizes).sum())
        if self.too_large != "fail":
            counts[what_of_large[self.too_large]] = int(self.is_large(sizes).sum())
        return +counts

    def place(self, examples: Examples) -> Placed:
        """The new group of each example that is kept, given examples of groups that are kept in part."""
        small = self.is_small(examples.sizes)[examples.groups]
        kept = np.ones(len(small), bool)
        part = np.zeros(len(small), np.int64)
        if self.too_large == "cap":
            kept[~small] = self._is_chosen(examples, np.flatnonzero(~small))
        elif self.too_large == "split":
            part[~small] = _part(examples.positions[~small], examples.sizes[examples.groups[~small]], self.max_examples)
        num_parts = int(part.max(initial=0)) + 1
        large = len(self.merged_ids) + examples.groups * num_parts + part
        found, codes = np.unique(np.where(small, examples.splits, large)[kept], return_inverse=True)
        return Placed(kept, codes, [self._new_id(examples, key, num_parts) for key in found.tolist()])

    def refuse_merged_id(self, group_ids: pa.Array) -> None:
        """Refuses that small groups are merged into a group that is there without them.

        Args:
            group_ids: binary[num_groups], of groups that are not small.

        Raises:
            ExampleError: one has the id of the merged group.
        """
        if self.too_small != "merge":
            return
        taken = group_ids.filter(pc.is_in(group_ids, pa.array(self.merged_ids, pa.binary())))
        if len(taken):
            raise ExampleError(
                f"group {shown(taken[0].as_py())} is there already, and checks.groups.too_small: merge would put all "
                "small groups into it. Choose another checks.groups.merged_group"
            )

    def _is_chosen(self, examples: Examples, large: np.ndarray) -> np.ndarray:
        """bool[len(large)]: a random choice of `max_examples` of each group, without replacement."""
        chosen = np.zeros(len(large), bool)
        groups = examples.groups[large]
        borders = np.flatnonzero(np.diff(groups, prepend=-1, append=-1)).tolist()
        for start, end in pairwise(borders):
            group, positions = int(groups[start]), examples.positions[large[start:end]]
            name = f"cap {hash_group_ids([examples.ids[group]], self.seed).tobytes().hex()}"
            place = permute(positions, int(examples.sizes[group]), self.seed, name)
            chosen[start:end] = place < self.max_examples
        return chosen

    def _new_id(self, examples: Examples, key: int, num_parts: int) -> bytes:
        """The id of a new group: keys are splits of small groups, and then parts of large ones."""
        if key < len(self.merged_ids):
            return self.merged_ids[key]
        group, number = divmod(key - len(self.merged_ids), num_parts)
        group_id = examples.ids[group]
        if self.too_large == "cap":
            return group_id
        new_id = part_id(group_id, number, -(-int(examples.sizes[group]) // self.max_examples))
        self.refuse_merged_id(pa.array([new_id]))
        return new_id


class Examples(NamedTuple):
    """Examples of groups that are too small or too large.

    Attributes:
        ids: by group, its id.
        sizes: int64[num_groups], examples of each group, over all splits.
        groups: int64[num_examples], ascending, the position of each one's group.
        positions: int64[num_examples], in the group: all of the first split, then all of the next; in source order.
        splits: int64[num_examples].
    """

    ids: list[bytes]
    sizes: np.ndarray
    groups: np.ndarray
    positions: np.ndarray
    splits: np.ndarray


class Placed(NamedTuple):
    """Where examples go.

    Attributes:
        kept: bool[num_examples].
        codes: int64[num_kept], positions in `ids`.
        ids: of the new groups.
    """

    kept: np.ndarray
    codes: np.ndarray
    ids: list[bytes]


def regroup_rule(spec: Spec) -> RegroupRule | None:
    """What the spec asks for; None where a group of the wrong size ends the build, as is the default.

    Raises:
        SpecError: groups that lie in several splits cannot be split.
    """
    checks = spec.checks.groups
    if checks.too_small == checks.too_large == "fail":
        return None
    if checks.too_large == "split" and isinstance(spec.splits, SplitByExample | SplitByBoth):
        raise SpecError(
            f"checks.groups.too_large is 'split' and splits.by {spec.splits.by!r}: a group's examples lie in several "
            "splits, so a part of it would be in one split only, or too small in each. Choose too_large: cap or drop, "
            "or splits.by group"
        )
    merged = _merged_ids(spec.splits, checks.merged_group)
    most = checks.max_examples or 0  # not looked at without `too_large`, which needs it
    return RegroupRule(
        checks.min_examples, most, checks.too_small, checks.too_large, checks.merged_group, merged, spec.seed
    )


def _merged_ids(splits: Splits | None, name: str) -> tuple[bytes, ...]:
    """By split, the id of the merged group: one for all, but where a group may be in one split only."""
    if isinstance(splits, SplitByGroup):
        owners = list(splits.fractions)
    elif isinstance(splits, SplitByBoth):
        owners = [group for group in splits.groups for _ in splits.examples]
    else:
        owners = [""] * (len(splits.names) if splits else 1)
    several = len(set(owners)) > 1
    return tuple((f"{name} of {owner}" if several else name).encode() for owner in owners)


def _part(positions: np.ndarray, sizes: np.ndarray, most: int) -> np.ndarray:
    """Which part each example is in: consecutive ones, the larger parts first, sizes that differ by one at most."""
    num_parts = -(-sizes // most)
    small, num_larger = sizes // num_parts, sizes % num_parts
    in_larger = num_larger * (small + 1)
    return np.where(positions < in_larger, positions // (small + 1), num_larger + (positions - in_larger) // small)


def part_id(group_id: bytes, number: int, num_parts: int) -> bytes:
    """The id of part `number`, from 0, of a group; parts sort as their numbers do.

    >>> part_id(b"ann", 0, 12)
    b'ann#01'
    """
    return group_id + PART_MARK + b"%0*d" % (len(str(num_parts)), number + 1)
