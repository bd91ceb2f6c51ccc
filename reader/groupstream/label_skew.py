"""Label skew: how far the labels of groups are from those of all examples.

They come from a label table, as `groupstream.group_table.LABEL_SCHEMA` says: one row for each label of each group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from groupstream.label_differences import count_labels

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_MARKS = (0.1, 0.5, 0.9)
_PART_ROWS = 1 << 20


@dataclass(frozen=True)
class LabelSkew:
    """How unlike the groups are in their labels. Each percentile is over groups, at 10, 50 and 90 %.

    Attributes:
        num_labels: distinct labels.
        num_groups: groups that have examples with a label.
        labels_a_group: mean number of distinct labels in a group.
        top_share: percentiles of the share that the most common label has in a group; 1.0 where it has one label.
        distance: percentiles of the total variation distance between the labels of a group and of all examples:
            0.0 where they are alike, towards 1.0 where they have little in common.
    """

    num_labels: int
    num_groups: int
    labels_a_group: float
    top_share: tuple[float, ...]
    distance: tuple[float, ...]


def label_skew(table: pa.Table) -> LabelSkew:
    """How unlike the groups are in their labels.

    Args:
        table: as `LABEL_SCHEMA`, sorted by `group_row`; at least one row.
    """
    return label_skew_of(table.to_batches)


def label_skew_of(batches: Callable[[], Iterable[pa.RecordBatch]]) -> LabelSkew:
    """The same of a table that need not fit into memory. It is read twice.

    Held are 16 bytes a group (32 for a moment), each different label once, and about a million rows.

    Args:
        batches: gives those of the table, from the beginning at each call.
    """
    totals = count_labels(batches())
    overall = totals["num_examples"].to_numpy() / pc.sum(totals["num_examples"]).as_py()
    parts = [_group_skew(rows, totals["label"], overall) for rows in _whole_groups(batches())]
    num_rows, top_shares, distances = zip(*parts, strict=True)
    num_groups = sum(map(len, top_shares))
    return LabelSkew(
        num_labels=len(totals),
        num_groups=num_groups,
        labels_a_group=sum(num_rows) / num_groups,
        top_share=_percentiles(np.concatenate(top_shares)),
        distance=_percentiles(np.concatenate(distances)),
    )


def _whole_groups(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The rows in parts of about a million that cut no group in two."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(map(len, waiting)) >= _PART_ROWS:
            rows = pa.Table.from_batches(waiting).combine_chunks()
            groups = rows["group_row"].to_numpy()
            border = int(np.searchsorted(groups, groups[-1]))  # where the last group begins, which may go on
            waiting = rows.slice(border).to_batches()
            if border:
                yield rows.slice(0, border)
    if any(map(len, waiting)):
        yield pa.Table.from_batches(waiting).combine_chunks()


def _group_skew(rows: pa.Table, labels: pa.ChunkedArray, overall: Floats) -> tuple[int, Floats, Floats]:
    """How many rows there are; and of each group the share of its most common label, and its distance from all."""
    counts, group_rows = rows["num_examples"].to_numpy(), rows["group_row"].to_numpy()
    codes = pc.index_in(rows["label"], value_set=labels).to_numpy()
    first = np.flatnonzero(np.concatenate([[True], group_rows[1:] != group_rows[:-1]]))
    shares = counts / np.repeat(np.add.reduceat(counts, first), np.diff(np.append(first, len(counts))))
    expected = overall[codes]
    # Half the sum of |p - q|; the labels that a group lacks add their q.
    distance = (np.add.reduceat(np.abs(shares - expected) - expected, first) + 1) / 2
    return len(counts), np.maximum.reduceat(shares, first), np.clip(distance, 0, 1)


def label_key(label: bytes) -> tuple[bool, int, bytes]:
    """Numbers by value, before text."""
    digits = label.removeprefix(b"-")
    is_number = digits.isdigit() and len(digits) < 20
    return not is_number, int(label) if is_number else 0, label


def _percentiles(values: Floats) -> tuple[float, ...]:
    return tuple(map(float, np.quantile(values, _MARKS, method="lower")))
