"""Label skew: how far the labels of groups are from those of all examples.

They come from a label table, as `groupstream.group_table.LABEL_SCHEMA` says: one row for each label of each group.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_MARKS = (0.1, 0.5, 0.9)


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
    """How unlike the groups are in their labels. A few passes over the table.

    Args:
        table: as `LABEL_SCHEMA`, sorted by `group_row`; at least one row.
    """
    names, codes = coded_labels(table["label"])
    counts = table["num_examples"].to_numpy()
    group_rows = table["group_row"].to_numpy()
    first = np.flatnonzero(np.concatenate([[True], group_rows[1:] != group_rows[:-1]]))
    sizes = np.add.reduceat(counts, first)
    shares = counts / np.repeat(sizes, np.diff(np.append(first, len(counts))))
    overall = (np.bincount(codes, counts, len(names)) / counts.sum())[codes]
    # Half the sum of |p - q|; the labels that a group lacks add their q.
    distance = (np.add.reduceat(np.abs(shares - overall) - overall, first) + 1) / 2
    return LabelSkew(
        num_labels=len(names),
        num_groups=len(first),
        labels_a_group=len(counts) / len(first),
        top_share=_percentiles(np.maximum.reduceat(shares, first)),
        distance=_percentiles(np.clip(distance, 0, 1)),
    )


def coded_labels(labels: pa.ChunkedArray) -> tuple[list[bytes], Ints]:
    """The distinct labels in their order, and for each row which it is."""
    coded = labels.combine_chunks().dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.combine_chunks()
    names = coded.dictionary.to_pylist()
    order = sorted(range(len(names)), key=lambda i: label_key(names[i]))
    ranks = np.empty(len(names), np.int64)
    ranks[order] = np.arange(len(names))
    return [names[i] for i in order], ranks[pc.cast(coded.indices, pa.int64()).to_numpy()]


def label_key(label: bytes) -> tuple[bool, int, bytes]:
    """Numbers by value, before text."""
    digits = label.removeprefix(b"-")
    is_number = digits.isdigit() and len(digits) < 20
    return not is_number, int(label) if is_number else 0, label


def _percentiles(values: Floats) -> tuple[float, ...]:
    return tuple(map(float, np.quantile(values, _MARKS, method="lower")))
