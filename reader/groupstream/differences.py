"""What differs between two group tables: groups added, removed, grown, shrunk, and the largest changes.

Both are read as sorted parts; of each, the part is held that the other has not reached yet. Groups ascend by a hash
that the seed of the version keys, so the tables of one seed can be compared as they lie. For others the ids are hashed
anew and sorted, which takes about 60 bytes of memory a group of both. Tables of one seed are merged as they lie, too.
"""

from __future__ import annotations

import functools
import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from groupstream.errors import CorruptError
from groupstream.group_order import HASH_BYTES, hash_group_ids, hash_words

COLUMNS = ("group_hash", "num_examples", "num_bytes")
ID_COLUMNS = ("group_id", "num_examples", "num_bytes")

_BLOCK_GROUPS = 1 << 16
_FIELDS = [("high", np.uint64), ("low", np.uint64), ("position", np.int64), ("examples", np.int64), ("bytes", np.int64)]
_DTYPE = np.dtype(_FIELDS)


@dataclass(frozen=True, order=True)
class Change:
    """One group whose size differs. `position` is its place in stored order: in the table after, unless it is gone."""

    size: int  # by how many examples it grew or shrank
    is_after: bool
    position: int
    before: int  # examples; 0 where it was not there
    after: int  # examples; 0 where it is gone


@dataclass
class Differences:
    """Counts of groups, and the changes by the most examples.

    Attributes:
        added: only after.
        removed: only before.
        grown: in both, with more examples after.
        shrunk: in both, with fewer examples after.
        rewritten: in both, with as many examples in other bytes. (As many bytes with other contents are not seen.)
        kept: in both, of the same size in examples and bytes.
        largest_added: at most `num_largest` of them, the largest first; likewise the two that follow.
        largest_removed: of those that are gone.
        largest_changed: of those that have grown or shrunk.
    """

    num_largest: int = 5

    added: int = 0
    removed: int = 0
    grown: int = 0
    shrunk: int = 0
    rewritten: int = 0
    kept: int = 0
    largest_added: list[Change] = field(default_factory=list)
    largest_removed: list[Change] = field(default_factory=list)
    largest_changed: list[Change] = field(default_factory=list)

    @property
    def largest(self) -> list[Change]:
        """At most `num_largest` changes of all kinds, the largest first."""
        return heapq.nlargest(self.num_largest, [*self.largest_added, *self.largest_removed, *self.largest_changed])


def by_stored_hash(batches: Iterable[pa.RecordBatch]) -> Iterator[np.ndarray]:
    """Sorted parts of a group table as it lies. The batches have `COLUMNS`.

    Raises:
        CorruptError: the groups do not ascend by their hashes.
    """
    position, last = 0, np.uint64(0)
    for batch in batches:
        hashes = batch.column("group_hash")
        raw = np.frombuffer(hashes.buffers()[1], np.uint8).reshape(-1, HASH_BYTES)[hashes.offset :][: len(batch)]
        rows = _part(batch, hash_words(raw), position)
        if (rows["high"] < np.append(last, rows["high"][:-1])).any():
            raise CorruptError(
                f"the groups from number {position:,} on do not ascend by their hashes, as those of a version do. "
                "Check it with: groupstream verify REF"
            )
        yield rows
        position, last = position + len(batch), rows["high"][-1]


def by_unkeyed_hash(batches: Iterable[pa.RecordBatch]) -> Iterator[np.ndarray]:
    """The same, by a hash that is the same for all seeds: all are sorted first. The batches have `ID_COLUMNS`."""
    parts, position = [], 0
    for batch in batches:
        parts.append(_part(batch, hash_words(hash_group_ids(batch.column("group_id").to_pylist(), 0)), position))
        position += len(batch)
    rows = np.concatenate(parts) if parts else np.empty(0, _DTYPE)
    parts.clear()
    rows = rows[np.lexsort((rows["low"], rows["high"]))]
    for start in range(0, len(rows), _BLOCK_GROUPS):
        yield rows[start : start + _BLOCK_GROUPS]


def _part(batch: pa.RecordBatch, words: tuple[np.ndarray, np.ndarray], position: int) -> np.ndarray:
    rows = np.empty(len(batch), _DTYPE)
    rows["high"], rows["low"] = words
    rows["position"] = np.arange(position, position + len(batch))
    for name in ("examples", "bytes"):
        rows[name] = np.from_dlpack(batch.column(f"num_{name}"))
    return rows


def compare(before: Iterable[np.ndarray], after: Iterable[np.ndarray], num_largest: int = 5) -> Differences:
    """Compares two group tables.

    Args:
        before, after: sorted parts, both by the same hash.
        num_largest: how many changes of a kind to keep.
    """
    found = Differences(num_largest)
    for old, new in aligned(iter(before), iter(after)):
        _count(found, *matched(old, new))
    return found


def merged(tables: Sequence[Iterator[np.ndarray]]) -> Iterator[np.ndarray]:
    """Several group tables as one: a group of more than one is one row, with its sums, at its first position.

    Args:
        tables: at least one; sorted parts, all by the same hash.
    """
    return functools.reduce(_merged_two, tables)


def _merged_two(first: Iterator[np.ndarray], second: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    for parts in aligned(first, second):
        rows, same, _ = _sorted_together(*parts)
        starts = np.flatnonzero(~np.append(False, same))
        sums = rows[starts]
        for name in ("examples", "bytes"):
            sums[name] = np.add.reduceat(rows[name], starts)
        yield sums


def aligned(before: Iterator[np.ndarray], after: Iterator[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Cuts sorted parts of two group tables anew, so that the two of a pair cover the same range of hashes."""
    empty = np.empty(0, _DTYPE)
    old, new = next(before, empty), next(after, empty)
    while len(old) and len(new):
        last = min(_key(old[-1]), _key(new[-1]))
        old_stop, new_stop = _stop(old, last), _stop(new, last)
        yield old[:old_stop], new[:new_stop]
        old = old[old_stop:] if old_stop < len(old) else next(before, empty)
        new = new[new_stop:] if new_stop < len(new) else next(after, empty)
    while len(old):
        yield old, empty
        old = next(before, empty)
    while len(new):
        yield empty, new
        new = next(after, empty)


def _key(row: np.void) -> tuple[int, int]:
    return int(row["high"]), int(row["low"])


def _stop(rows: np.ndarray, last: tuple[int, int]) -> int:
    """How many rows have a hash up to `last`."""
    high = np.uint64(last[0])
    start, stop = (int(np.searchsorted(rows["high"], high, side)) for side in ("left", "right"))
    return start + int(np.searchsorted(rows["low"][start:stop], np.uint64(last[1]), "right"))


def matched(old: np.ndarray, new: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rows only in `old`, rows only in `new`, and the rows in both, twice in the same order."""
    rows, same, order = _sorted_together(old, new)
    first = np.append(same, False)
    second = np.append(False, same) if len(rows) else first
    alone = ~(first | second)
    is_new = order >= len(old)
    return rows[alone & ~is_new], rows[alone & is_new], rows[first], rows[second]


def _sorted_together(old: np.ndarray, new: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rows of both, whether each has the hash of the next, and where each was in both."""
    rows = np.concatenate([old, new])
    order = np.lexsort((rows["low"], rows["high"]))  # stable: of two that are equal, the old one stands first
    rows = rows[order]
    return rows, (rows["high"][1:] == rows["high"][:-1]) & (rows["low"][1:] == rows["low"][:-1]), order


def _count(found: Differences, removed: np.ndarray, added: np.ndarray, before: np.ndarray, after: np.ndarray) -> None:
    growth = after["examples"] - before["examples"]
    equal = growth == 0
    as_large = before["bytes"] == after["bytes"]
    found.removed += len(removed)
    found.added += len(added)
    found.grown += int((growth > 0).sum())
    found.shrunk += int((growth < 0).sum())
    found.rewritten += int((equal & ~as_large).sum())
    found.kept += int((equal & as_large).sum())
    gone, new = -removed["examples"], added["examples"]
    most = found.num_largest
    _keep_largest(found.largest_added, _changes(added, np.zeros_like(new), new, True, most), most)
    _keep_largest(found.largest_removed, _changes(removed, -gone, gone, False, most), most)
    _keep_largest(found.largest_changed, _changes(after, before["examples"], growth, True, most), most)


def _keep_largest(kept: list[Change], changes: Iterator[Change], most: int) -> None:
    kept[:] = heapq.nlargest(most, [*kept, *changes])


def _changes(
    rows: np.ndarray, before: np.ndarray, growth: np.ndarray, is_after: bool, num_largest: int
) -> Iterator[Change]:
    size = np.abs(growth)
    for i in np.argsort(-size, kind="stable")[:num_largest].tolist():
        if size[i]:
            old = int(before[i])
            yield Change(int(size[i]), is_after, int(rows["position"][i]), old, old + int(growth[i]))
