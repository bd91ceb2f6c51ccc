"""What differs between the labels of two sets of examples, from their label tables: one row a label of a group.

The tables are read a part at a time. What is held is each different label once, with a count.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

_COLUMNS = ["label", "num_examples"]
_BLOCK_ROWS = 1 << 16
_NO_LABELS = pa.table({"label": pa.array([], pa.binary()), "num_examples": pa.array([], pa.int64())})


@dataclass(frozen=True)
class LabelChange:
    """One label whose share changed.

    Attributes:
        label: as in the label table: text, or a number in decimal.
        before, after: examples with it.
    """

    label: bytes
    before: int
    after: int


@dataclass(frozen=True)
class LabelDifferences:
    """How far the labels of two sets of examples are from one another.

    Attributes:
        distance: total variation: half the sum of |share before - share after| over all labels, which is the least
            share of the examples that would need another label; 0.0 where the shares are the same, 1.0 where no label
            is in both, or only one of the two has labels. The float that is nearest to the exact fraction.
        num_before, num_after: examples with a label.
        largest: the labels whose shares changed most, the most first.
    """

    distance: float
    num_before: int
    num_after: int
    largest: tuple[LabelChange, ...]


def count_labels(batches: Iterable[pa.RecordBatch]) -> pa.Table:
    """How many examples have each label: `label` and `num_examples`, each label once, in no order.

    Args:
        batches: with these two columns of one or more label tables.
    """
    counted, waiting = _NO_LABELS, []
    for batch in batches:
        waiting.append(_summed(pa.Table.from_batches([batch]).select(_COLUMNS)))
        if sum(map(len, waiting)) > _BLOCK_ROWS + len(counted):
            counted, waiting = _summed(pa.concat_tables([counted, *waiting])), []
    return _summed(pa.concat_tables([counted, *waiting]))


def _summed(rows: pa.Table) -> pa.Table:
    summed = rows.group_by("label", use_threads=False).aggregate([("num_examples", "sum")])
    return summed.select(["label", "num_examples_sum"]).rename_columns(_COLUMNS).cast(_NO_LABELS.schema)


def compare_labels(before: pa.Table, after: pa.Table, num_largest: int = 5) -> LabelDifferences:
    """Compares the labels of two sets of examples.

    Args:
        before, after: as `count_labels` gives them.
        num_largest: how many labels to keep.
    """
    labels, old, new = _joined(before, after)
    num_old, num_new = sum(old), sum(new)
    # All shares times num_old * num_new: whole numbers, so that a distance of exactly the limit is not above it.
    moved = [abs(o * num_new - n * num_old) for o, n in zip(old, new, strict=True)]
    largest = heapq.nsmallest(num_largest, ((-size, labels[i], i) for i, size in enumerate(moved) if size))
    return LabelDifferences(
        distance=sum(moved) / (2 * num_old * num_new) if num_old and num_new else float(num_old != num_new),
        num_before=num_old,
        num_after=num_new,
        largest=tuple(LabelChange(label, old[i], new[i]) for _, label, i in largest),
    )


def _joined(before: pa.Table, after: pa.Table) -> tuple[list[bytes], list[int], list[int]]:
    """The labels of both, and how many examples each has before and after."""
    sides = []
    for table, name, other in ((before, "before", "after"), (after, "after", "before")):
        nothing = pa.array([0] * len(table), pa.int64())
        sides.append(pa.table({"label": table["label"], name: table["num_examples"], other: nothing}))
    joined = pa.concat_tables([sides[0], sides[1].select(sides[0].column_names)])
    summed = joined.group_by("label", use_threads=False).aggregate([("before", "sum"), ("after", "sum")])
    labels, old, new = (summed[name].to_pylist() for name in ("label", "before_sum", "after_sum"))
    return labels, old, new
