"""Labels in groups: how many examples of a group have which label.

They come from a label table, as `groupstream.group_table.LABEL_SCHEMA` says: one row for each label of each group.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from groupstream.label_skew import Floats, Ints, coded_labels

MAX_LABELS = 100  # rows of a matrix; the rarer labels share its last row
OTHER_LABELS = b"(others)"
_BY_CHANCE = 1.5


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


def label_matrix(table: pa.Table, groups: Ints) -> LabelMatrix:
    """How many examples of some groups have which label. A few passes over the table.

    Args:
        table: as `LABEL_SCHEMA`, sorted by `group_row`.
        groups: int64[num_groups], which rows of the group table to show, in their order.
    """
    names, codes = coded_labels(table["label"])
    counts = table["num_examples"].to_numpy()
    kept, rows = _chosen_labels(names, np.bincount(codes, counts, len(names)).astype(np.int64))
    codes, num_labels = rows[codes], len(kept)
    overall = np.bincount(codes, counts, num_labels).astype(np.int64)
    order = np.argsort(groups, kind="stable")
    place = np.searchsorted(groups, table["group_row"].to_numpy(), sorter=order)
    found = order[np.minimum(place, len(groups) - 1)] if len(groups) else np.zeros(len(table), np.int64)
    mine = groups[found] == table["group_row"].to_numpy() if len(groups) else np.zeros(len(table), bool)
    cells = codes[mine] * len(groups) + found[mine]
    matrix = np.bincount(cells, counts[mine], num_labels * len(groups)).astype(np.int64)
    return LabelMatrix(kept, matrix.reshape(num_labels, len(groups)), overall)


def choose_groups(sizes: Ints, most: int = 100) -> Ints:
    """int64[at most `most`]: groups to show, the largest first; where there are too many, evenly over their sizes."""
    order = np.argsort(-sizes, kind="stable")
    if len(order) <= most:
        return order
    return order[np.linspace(0, len(order) - 1, most).round().astype(np.int64)]


def _chosen_labels(names: list[bytes], totals: Ints) -> tuple[tuple[bytes, ...], Ints]:
    """The labels of the rows, and for each label its row."""
    if len(names) <= MAX_LABELS:
        return tuple(names), np.arange(len(names))
    chosen = np.sort(np.argsort(-totals, kind="stable")[: MAX_LABELS - 1])
    rows = np.full(len(names), MAX_LABELS - 1)
    rows[chosen] = np.arange(len(chosen))
    return (*(names[i] for i in chosen), OTHER_LABELS), rows
