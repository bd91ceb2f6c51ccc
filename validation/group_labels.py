"""Labels of groups for checks: how many a group has, and how far they are from those of all examples.

Label tables are read a part at a time, beside the group tables. What is held is each different label once.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from groupstream import SpecError
from groupstream.dataset import Split
from groupstream.group_rows import numbers_of
from groupstream.index_file import IndexFile
from groupstream.label_differences import count_labels

LABEL_ROW = np.dtype([("row", np.int64), ("label", np.int64), ("examples", np.int64)])


@dataclass(frozen=True)
class Labels:
    """The labels of all examples.

    Attributes:
        numbers: of each label, which it is.
        shares: float64[num_labels], of the examples that have a label; they sum to 1.
    """

    numbers: dict[bytes, int]
    shares: np.ndarray


def labels_of(splits: Sequence[Split]) -> Labels:
    """The labels of all splits together. Reads their label tables once.

    Raises:
        SpecError: a split has no label table.
    """
    counted = count_labels(
        itertools.chain.from_iterable(label_file_of(split).batches(["label", "num_examples"]) for split in splits)
    )
    counts = counted["num_examples"].to_numpy()
    numbers = {label: number for number, label in enumerate(counted["label"].to_pylist())}
    return Labels(numbers, counts / max(1, counts.sum()))


def label_file_of(split: Split) -> IndexFile:
    """Its label table.

    Raises:
        SpecError: it has none.
    """
    if split.label_file is None:
        raise SpecError(
            f"split {split.name} of {split.ref} has no label table, so nothing can be asked of the labels of its "
            "groups: build it with label_feature, or leave max_label_distance and min_labels out"
        )
    return split.label_file


class LabelRows:
    """The label table of a split, to be taken from its beginning on. Without `labels` it has no rows."""

    def __init__(self, split: Split, labels: Labels | None) -> None:
        self._batches: Iterator[pa.RecordBatch] = iter(()) if labels is None else label_file_of(split).batches()
        self._labels = labels
        self._rest = np.empty(0, LABEL_ROW)

    def before(self, group_row: int) -> np.ndarray:
        """The next rows that are about groups before `group_row`."""
        taken = []
        while not len(self._rest) or self._rest["row"][-1] < group_row:
            taken.append(self._rest)
            batch = next(self._batches, None)
            if batch is None:
                self._rest = np.empty(0, LABEL_ROW)
                break
            self._rest = self._numbered(batch)
        stop = int(np.searchsorted(self._rest["row"], group_row))
        taken.append(self._rest[:stop])
        self._rest = self._rest[stop:]
        return np.concatenate(taken)

    def _numbered(self, batch: pa.RecordBatch) -> np.ndarray:
        assert self._labels is not None
        labels = batch.column("label").dictionary_encode()
        numbers = np.array([self._labels.numbers[label] for label in labels.dictionary.to_pylist()], np.int64)
        rows = np.empty(len(batch), LABEL_ROW)
        rows["row"] = numbers_of(batch.column("group_row"))
        rows["label"] = numbers[numbers_of(labels.indices)]
        rows["examples"] = numbers_of(batch.column("num_examples"))
        return rows


def count_labels_in(block: np.ndarray, rows: np.ndarray, groups: np.ndarray, labels: Labels) -> None:
    """Fills the columns `labels`, `labelled` and `moved` of a block.

    Args:
        rows: of label tables; a group that is in several splits may have a label several times.
        groups: for each of them, which group of the block it is about.
    """
    num_labels, num_groups = max(1, len(labels.shares)), len(block)
    cells, inverse = np.unique(groups * num_labels + rows["label"], return_inverse=True)
    counts = np.bincount(inverse, rows["examples"], len(cells))
    groups, expected = cells // num_labels, labels.shares[cells % num_labels]
    labelled = np.bincount(groups, counts, num_groups)
    block["labels"] = np.bincount(groups, minlength=num_groups)
    block["labelled"] = labelled.astype(np.int64)
    # Half the sum of |p - q|; the labels that a group lacks add their q.
    lacking = np.bincount(groups, np.abs(counts / labelled[groups] - expected) - expected, num_groups)
    block["moved"] = labelled * np.clip((lacking + 1) / 2, 0, 1)
