"""Rows of a group table as arrays: where groups lie and how large they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

NUMBERS = ("shard_index", "offset_bytes", "length_bytes", "num_examples", "num_bytes", "num_words")


@dataclass(frozen=True, slots=True)
class GroupRows:
    """Some groups, in an order of the caller's.

    Attributes:
        positions: int64[num_groups], where each stands in the sequence that is read: its number in stored order, or the
            number of the step in a shuffled order.
        group_ids: their ids.
        shard_index: int32 or int64[num_groups]. The other columns are int64[num_groups]; `group_table` says what they
            hold.
    """

    positions: np.ndarray
    group_ids: list[bytes]
    shard_index: np.ndarray
    offset_bytes: np.ndarray
    length_bytes: np.ndarray
    num_examples: np.ndarray
    num_bytes: np.ndarray
    num_words: np.ndarray

    def __len__(self) -> int:
        return len(self.group_ids)

    def cut(self, start: int, stop: int) -> GroupRows:
        """The rows from `start` to `stop`. No copy of the numbers."""
        numbers = (getattr(self, name)[start:stop] for name in NUMBERS)
        return GroupRows(self.positions[start:stop], self.group_ids[start:stop], *numbers)

    def take(self, rows: np.ndarray) -> GroupRows:
        """The rows with these numbers, in their order."""
        numbers = (getattr(self, name)[rows] for name in NUMBERS)
        return GroupRows(self.positions[rows], [self.group_ids[i] for i in rows.tolist()], *numbers)


def rows_of_batch(batch: pa.RecordBatch, first_position: int) -> GroupRows:
    """The rows of a part of a group table in stored order, of which the first is number `first_position`."""
    positions = np.arange(first_position, first_position + len(batch))
    numbers: Sequence[np.ndarray] = [numbers_of(batch.column(name)) for name in NUMBERS]
    return GroupRows(positions, batch.column("group_id").to_pylist(), *numbers)


def numbers_of(column: pa.Array) -> np.ndarray:
    """A column of numbers without nulls as an array. No copy, and unlike `to_numpy` it never loads pandas."""
    return np.from_dlpack(column)
