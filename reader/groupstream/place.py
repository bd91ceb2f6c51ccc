"""Where an iterator over examples stands: in a block of decoded ones, or where an epoch or a state begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from groupstream.position import Position


@dataclass(frozen=True, slots=True)
class Block:
    """Examples that are decoded together.

    Attributes:
        content: the examples, in the form of the batches.
        group_ids: of the groups that they belong to.
        positions: int64[num_groups], where the groups stand in the stream.
        bounds: int64[num_groups + 1]: group i has the examples from bounds[i] to bounds[i + 1].
        num_before: how many examples of the first group come before the block.
        is_open: whether more of the last group follows in the next block.
    """

    content: Any
    group_ids: list[bytes]
    positions: np.ndarray
    bounds: np.ndarray
    num_before: int
    is_open: bool

    def place_after(self, num_examples: int) -> tuple[int, int]:
        """Where the example after so many is: the position of its group, and how many were given of that."""
        group = int(np.searchsorted(self.bounds, num_examples)) - 1
        position = int(self.positions[group])
        is_last = group == len(self.group_ids) - 1
        if num_examples == self.bounds[group + 1] and not (is_last and self.is_open):
            return position + 1, 0
        return position, num_examples - int(self.bounds[group]) + (0 if group else self.num_before)


BEGINNING = Position()


@dataclass(frozen=True, slots=True)
class Place:
    """Where an iterator stands: after `num_examples` of a block, or where an epoch or a state begins."""

    epoch: int
    position: Position = BEGINNING
    num_given: int = 0
    block: Block | None = None
    num_examples: int = 0

    def settled(self) -> Place:
        """The same place without the block."""
        if self.block is None:
            return self
        taken, num_given = self.block.place_after(self.num_examples)
        return Place(self.epoch, Position(self.position.base, taken), num_given)
