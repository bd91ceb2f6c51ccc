"""Lists of differing lengths as two arrays."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, overload

import numpy as np


class Ragged(Sequence[np.ndarray]):
    """Arrays of differing lengths that lie in one. Indexing and slicing copy nothing.

    >>> lists = Ragged(np.array([1, 2, 3]), np.array([0, 2, 2, 3]))
    >>> len(lists), lists[0], lists[1:].lengths
    (3, array([1, 2]), array([0, 1]))
    >>> lists.padded(2)
    array([[1, 2],
           [0, 0],
           [3, 0]])

    Args:
        values: all items, one list after the other.
        offsets: int64[num_lists + 1]: list i is `values[offsets[i]:offsets[i + 1]]`.
    """

    __slots__ = ("_offsets", "_values")

    def __init__(self, values: np.ndarray, offsets: np.ndarray) -> None:
        self._values = values
        self._offsets = offsets

    @property
    def values(self) -> np.ndarray:
        """The items of these lists, one list after the other. No copy."""
        return self._values[self._offsets[0] : self._offsets[-1]]

    @property
    def offsets(self) -> np.ndarray:
        """int64[num_lists + 1]: where each list begins in `values`, and where the last ends."""
        return self._offsets - self._offsets[0]

    @property
    def lengths(self) -> np.ndarray:
        """int64[num_lists]."""
        return self._offsets[1:] - self._offsets[:-1]

    def padded(self, width: int, fill: Any = 0) -> np.ndarray:
        """[num_lists, width, ...]: each list, then `fill`. Longer lists are cut; `lengths` tells which."""
        lengths = np.minimum(self.lengths, width)
        filled = np.full((len(self), width, *self._values.shape[1:]), fill, self._values.dtype)
        is_item = np.arange(width) < lengths[:, None]
        filled[is_item] = self._values[(self._offsets[:-1, None] + np.arange(width))[is_item]]
        return filled

    @classmethod
    def joined(cls, parts: Iterable[Ragged]) -> Ragged:
        """The lists of all parts, one part after the other."""
        parts = list(parts)
        lengths = np.concatenate([part.lengths for part in parts])
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        return cls(np.concatenate([part.values for part in parts]), offsets)

    def tolist(self) -> list[list[Any]]:
        """As lists of Python values."""
        return [part.tolist() for part in self]

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice) -> Ragged: ...
    def __getitem__(self, index: int | slice) -> np.ndarray | Ragged:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step != 1:
                raise IndexError(f"lists can be sliced in steps of 1, this is a step of {step}")
            return Ragged(self._values, self._offsets[start : max(start, stop) + 1])
        place = range(len(self))[index]
        return self._values[self._offsets[place] : self._offsets[place + 1]]

    def __iter__(self) -> Iterator[np.ndarray]:
        bounds = self._offsets.tolist()
        return (self._values[start:stop] for start, stop in itertools.pairwise(bounds))

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __repr__(self) -> str:
        return f"<groupstream.Ragged: {len(self)} lists of {self._values.dtype}, {len(self.values)} items>"
