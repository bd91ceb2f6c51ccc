"""The examples that wait to be sorted, in memory that is taken once."""

from __future__ import annotations

import mmap
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from groupstream.binary import binary_array, byte_lengths, data_of

EXAMPLE_BYTES = 128  # what sorting needs for each example beside its record: numbers, positions, an order
GROUP_BYTES = 320  # and for each group, and each label: its id, its hash, its place in a dictionary
SHORT_NAME_BYTES = 32  # of an id or a label, that are counted in that
NAME_COPIES = 6  # of a longer one, while a run is written


class Numbers(NamedTuple):
    """What is known of each waiting example; all arrays have one item an example.

    Attributes:
        groups: int64, positions in the list of the groups of the run.
        pieces: int32.
        stretches: int32, which stretch of the run.
        rows: int64, positions in the piece.
        words: int64.
        labels: int32, positions in the list of the labels of the run; -1 where there is none.
    """

    groups: np.ndarray
    pieces: np.ndarray
    stretches: np.ndarray
    rows: np.ndarray
    words: np.ndarray
    labels: np.ndarray


def _fresh(size: int) -> np.ndarray:
    """uint8[size], of pages that are taken when they are written.

    NumPy's own large arrays ask for huge pages, which the system makes by moving others: a third of a build's time.
    """
    return np.frombuffer(mmap.mmap(-1, max(size, 1)), np.uint8)[:size]


class RecordBuffer:
    """Records one after the other in one array, so that no second copy of them is needed to sort them.

    Args:
        capacity_bytes: of records; pages that are never written take no memory.
    """

    def __init__(self, capacity_bytes: int) -> None:
        self._data = _fresh(capacity_bytes)
        self.clear()

    def clear(self) -> None:
        """Forgets what waits."""
        self._end = 0
        self._lengths: list[np.ndarray] = []
        self._numbers: list[Numbers] = []
        self.num_examples = 0

    def has_room(self, num_bytes: int) -> bool:
        """Whether so many bytes more fit."""
        return self._end + num_bytes <= len(self._data)

    def add(self, records: pa.LargeBinaryArray, numbers: Numbers) -> None:
        """Takes the records of a batch. One that is larger than the whole buffer makes it larger for good."""
        data = np.frombuffer(data_of(records), np.uint8)
        if not self.has_room(len(data)):
            larger = _fresh(self._end + len(data))
            larger[: self._end] = self._data[: self._end]
            self._data = larger
        self._data[self._end : self._end + len(data)] = data
        self._end += len(data)
        self._lengths.append(byte_lengths(records))
        self._numbers.append(numbers)
        self.num_examples += len(records)

    @property
    def num_bytes(self) -> int:
        """What waits, and what sorting it will take beside the records."""
        return self._end + self.num_examples * EXAMPLE_BYTES

    def contents(self) -> tuple[pa.LargeBinaryArray, Numbers]:
        """All that waits. The records are a view: they are gone after `clear`."""
        records = binary_array(self._data[: self._end], np.concatenate(self._lengths))
        return records, Numbers(*map(np.concatenate, zip(*self._numbers, strict=True)))
