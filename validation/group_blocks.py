"""The groups of all splits together, in the order of their hashes, a block at a time.

The group table of each split ascends by `group_hash`, so the tables are merged as they are read: what is held is a part
of each, and one block. A group that is in several splits is one row, with its sizes summed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from groupstream import CorruptError
from groupstream.dataset import Split
from groupstream.group_order import HASH_BYTES
from groupstream.group_rows import numbers_of
from validation.group_labels import LABEL_ROW, LabelRows, Labels, count_labels_in

BLOCK_GROUPS = 1 << 18  # of 96 bytes each

SIZES = ("examples", "bytes", "words")
_HASH = ("hash", f"S{HASH_BYTES}")  # compares as the bytes do, all 16 of them
_PLACE = [("split", np.int64), ("row", np.int64)]  # number of the split, and of the row in its table
_ROW = np.dtype([_HASH, *((size, np.int64) for size in SIZES), *_PLACE])

BLOCK = np.dtype(
    [
        *_ROW.descr,  # its place is that of its first row
        ("splits", np.int64),  # that it is in
        ("repeats", np.int64),  # rows beyond the first in the table of a split; 0 in a sound version
        ("labels", np.int64),  # different ones
        ("labelled", np.int64),  # examples that have a label
        ("moved", np.float64),  # of these, how many would need another label to be like all: distance * labelled
    ]
)


@dataclass(frozen=True)
class _Part:
    """Rows of one split that follow each other, and the rows of its label table that are about them."""

    rows: np.ndarray
    labels: np.ndarray

    def cut(self, stop: int) -> tuple[_Part, _Part]:
        """The first `stop` rows, and the rest."""
        end = stop + (int(self.rows["row"][0]) if len(self.rows) else 0)
        label_stop = int(np.searchsorted(self.labels["row"], end))
        return (
            _Part(self.rows[:stop], self.labels[:label_stop]),
            _Part(self.rows[stop:], self.labels[label_stop:]),
        )


def group_blocks(
    splits: Sequence[Split], labels: Labels | None = None, block_groups: int = BLOCK_GROUPS
) -> Iterator[np.ndarray]:
    """The groups of some splits, each once, as arrays of dtype `BLOCK`. Reads their group tables once.

    Args:
        labels: those of all examples. Then the label tables are read as well; else the columns of labels are 0.
        block_groups: most groups of a block.

    Raises:
        CorruptError: the groups of a split do not ascend by their hashes.
    """
    parts = [_parts(split, number, labels) for number, split in enumerate(splits)]
    return _in_blocks((_summed(aligned, labels) for aligned in _aligned(parts)), block_groups)


def _parts(split: Split, number: int, labels: Labels | None) -> Iterator[_Part]:
    label_rows = LabelRows(split, labels)
    for rows in _whole_groups(_rows(split, number)):
        yield _Part(rows, label_rows.before(int(rows["row"][-1]) + 1))


def _rows(split: Split, number: int) -> Iterator[np.ndarray]:
    columns = ["group_hash", *(f"num_{size}" for size in SIZES)]
    start = 0
    for batch in split.index_file.batches(columns):
        rows = np.empty(len(batch), _ROW)
        rows["hash"] = _hashes(batch.column("group_hash"))
        for size in SIZES:
            rows[size] = numbers_of(batch.column(f"num_{size}"))
        rows["split"], rows["row"] = number, np.arange(start, start + len(batch))
        yield rows
        start += len(batch)


def _hashes(column: pa.Array) -> np.ndarray:
    return np.frombuffer(column.buffers()[1], _HASH[1])[column.offset :][: len(column)]


def _whole_groups(parts: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Cut so that rows of the same hash stand in one part; a sound table has one of each."""
    held = np.empty(0, _ROW)
    for part in parts:
        rows = np.concatenate([held, part])
        _refuse_descent(rows)
        start = int(np.searchsorted(rows["hash"], rows["hash"][-1]))
        held = rows[start:]
        if start:
            yield rows[:start]
    if len(held):
        yield held


def _refuse_descent(rows: np.ndarray) -> None:
    falls = np.flatnonzero(rows["hash"][1:] < rows["hash"][:-1])
    if len(falls):
        raise CorruptError(
            f"group number {int(rows['row'][falls[0] + 1]):,} of a split does not ascend by its hash, as those of a "
            "version do. Check it with: groupstream verify REF"
        )


def _aligned(parts: Sequence[Iterator[_Part]]) -> Iterator[list[_Part]]:
    """Cuts the parts of all splits so that those of one step cover the same range of hashes."""
    waiting = {number: part for number, rest in enumerate(parts) if (part := next(rest, None))}
    while waiting:
        last = min(part.rows["hash"][-1] for part in waiting.values())
        taken: list[_Part] = []
        for number, part in list(waiting.items()):
            ready, rest = part.cut(int(np.searchsorted(part.rows["hash"], last, side="right")))
            taken.append(ready)
            following = rest if len(rest.rows) else next(parts[number], None)
            if following is None:
                del waiting[number]
            else:
                waiting[number] = following
        yield taken


def _summed(parts: Sequence[_Part], labels: Labels | None) -> np.ndarray:
    """One row for each group of these parts, in the order of the hashes."""
    rows = np.concatenate([part.rows for part in parts])
    order = np.argsort(rows["hash"], kind="stable")  # rows of one group stay in the order of their splits
    rows = rows[order]
    is_first = np.append(True, rows["hash"][1:] != rows["hash"][:-1])[: len(rows)]
    first = np.flatnonzero(is_first)
    in_another = is_first | np.append(True, rows["split"][1:] != rows["split"][:-1])[: len(rows)]
    block = np.zeros(len(first), BLOCK)
    for name in ("hash", "split", "row"):
        block[name] = rows[name][first]
    for name in SIZES:
        block[name] = np.add.reduceat(rows[name], first)
    block["splits"] = np.add.reduceat(in_another.astype(np.int64), first)
    block["repeats"] = np.add.reduceat((~in_another).astype(np.int64), first)
    if labels is not None:
        groups = np.empty(len(rows), np.int64)
        groups[order] = np.cumsum(is_first) - 1
        count_labels_in(block, *_label_rows(parts, groups), labels)
    return block


def _label_rows(parts: Sequence[_Part], groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All label rows of these parts, and for each which group of the block it is about."""
    of_parts, start = [], 0
    for part in parts:
        if len(part.rows):
            of_parts.append(groups[start + part.labels["row"] - part.rows["row"][0]])
        start += len(part.rows)
    return np.concatenate([np.empty(0, LABEL_ROW), *(part.labels for part in parts)]), np.concatenate(of_parts)


def _in_blocks(parts: Iterable[np.ndarray], block_groups: int) -> Iterator[np.ndarray]:
    waiting: list[np.ndarray] = []
    for part in parts:
        waiting.append(part)
        if sum(map(len, waiting)) >= block_groups:
            rows = np.concatenate(waiting)
            whole = len(rows) // block_groups * block_groups
            yield from (rows[start : start + block_groups] for start in range(0, whole, block_groups))
            waiting = [rows[whole:].copy()]  # else the block before would be held
    if any(map(len, waiting)):
        yield np.concatenate(waiting)
