"""Labels in groups: how many examples of a group have which label.

They come from a label table, as `groupstream.group_table.LABEL_SCHEMA` says: one row for each label of each group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from groupstream.label_differences import count_labels
from groupstream.label_skew import Floats, Ints, label_key

MAX_LABELS = 100  # rows of a matrix; the rarer labels share its last row
OTHER_LABELS = b"(others)"
_BY_CHANCE = 1.5

LabelBatches = Callable[[], Iterable[pa.RecordBatch]]


@dataclass(frozen=True)
class LabelMatrix:
    """Labels by groups.

    Attributes:
        labels: of the rows, in their order: numbers by value, text by its bytes.
        counts: int64[num_labels, num_groups], examples of each of the chosen groups with each label.
        overall: int64[num_labels], the same for all groups of the table together.
        order: of the groups, in words.
    """

    labels: tuple[bytes, ...]
    counts: Ints
    overall: Ints
    order: str = "as given"

    @property
    def num_groups(self) -> int:
        """How many groups were chosen."""
        return self.counts.shape[1]

    def shares(self) -> Floats:
        """float64[num_labels, num_groups]: of the examples of each group that have a label; columns sum to 1."""
        return self.counts / np.maximum(self.counts.sum(axis=0), 1)

    def overall_shares(self) -> Floats:
        """float64[num_labels]: of all examples that have a label."""
        return self.overall / max(1, self.overall.sum())

    @property
    def skew_over_chance(self) -> float:
        """About 1 where the labels of groups differ as draws from one mixture do, more the more they differ.

        Source: the chi-squared statistic of the table, over its degrees of freedom.
        """
        sizes = self.counts.sum(axis=0)
        expected = np.outer(self.overall_shares(), sizes)
        terms = (self.counts - expected) ** 2 / np.where(expected > 0, expected, 1)
        return float(terms.sum() / max(1, (np.count_nonzero(self.overall) - 1) * np.count_nonzero(sizes)))

    def ordered(self) -> LabelMatrix:
        """The groups so that what there is to see can be seen.

        Where their labels differ by more than chance, those with the same most common label stand together, the purest
        first: blocks show how they were made. Otherwise the largest is first.
        """
        sizes = self.counts.sum(axis=0)
        if self.skew_over_chance < _BY_CHANCE:
            return self._in(np.argsort(-sizes, kind="stable"), "by size")
        shares = self.shares()
        order = np.lexsort((-shares.max(axis=0, initial=0), shares.argmax(axis=0)))
        return self._in(order, "by most common label")

    def _in(self, order: Ints, words: str) -> LabelMatrix:
        return LabelMatrix(self.labels, self.counts[:, order], self.overall, words)


def label_matrix(batches: LabelBatches, groups: Ints) -> LabelMatrix:
    """How many examples of some groups have which label. Reads the table twice, and holds a batch of it at a time.

    Args:
        batches: of a table as `LABEL_SCHEMA`, from the beginning at each call.
        groups: int64[num_groups], which rows of the group table to show, in their order.
    """
    totals = count_labels(batches())
    kept = _chosen_labels(totals)
    counts = np.zeros((len(kept) + 1, len(groups)), np.int64)  # and a row for all others
    order = np.argsort(groups, kind="stable")
    for batch in batches():
        _count_cells(counts, batch, kept, groups[order], order)
    held = totals["num_examples"].to_numpy()
    overall = np.bincount(_rows_of(totals["label"].combine_chunks(), kept), held, len(kept) + 1).astype(np.int64)
    if len(kept) == len(totals):
        return LabelMatrix(tuple(kept), counts[:-1], overall[:-1])
    return LabelMatrix((*kept, OTHER_LABELS), counts, overall)


def _count_cells(counts: Ints, batch: pa.RecordBatch, kept: list[bytes], ascending: Ints, order: Ints) -> None:
    """Adds what a batch says of the groups, which are given in ascending order with their columns."""
    rows = batch.column("group_row").to_numpy()
    places = np.minimum(np.searchsorted(ascending, rows), max(len(ascending) - 1, 0))
    mine = ascending[places] == rows if len(ascending) else np.zeros(len(rows), bool)
    chosen = batch.filter(pa.array(mine))
    labels, columns = _rows_of(chosen.column("label"), kept), order[places[mine]] if len(order) else places[mine]
    np.add.at(counts, (labels, columns), chosen.column("num_examples").to_numpy())


def _rows_of(labels: pa.Array, kept: list[bytes]) -> Ints:
    """int64[len(labels)]: the row of each label, the last where it is none of the kept."""
    found = pc.index_in(labels, value_set=pa.array(kept, pa.binary()))
    return pc.cast(pc.fill_null(found, len(kept)), pa.int64()).to_numpy()


def choose_groups(sizes: Ints, most: int = 100) -> Ints:
    """int64[at most `most`]: groups to show, the largest first; where there are too many, evenly over their sizes."""
    order = np.argsort(-sizes, kind="stable")
    if len(order) <= most:
        return order
    return order[np.linspace(0, len(order) - 1, most).round().astype(np.int64)]


def _chosen_labels(totals: pa.Table) -> list[bytes]:
    """The labels that have a row of their own, in their order."""
    if len(totals) > MAX_LABELS:
        by = [("num_examples", "descending"), ("label", "ascending")]
        totals = totals.take(pc.select_k_unstable(totals, MAX_LABELS - 1, by))
    return sorted(totals["label"].to_pylist(), key=label_key)
