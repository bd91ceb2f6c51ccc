"""Labels of all examples before and after, against plain fractions."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction

import pyarrow as pa
import pytest

from groupstream.group_table import LABEL_SCHEMA
from groupstream.label_differences import LabelChange, LabelDifferences, compare_labels, count_labels

Labels = list[tuple[bytes, int]]


def batches(rows: Labels, batch_rows: int = 3) -> Iterator[pa.RecordBatch]:
    labels, counts = [label for label, _ in rows], [count for _, count in rows]
    table = pa.table([range(len(rows)), labels, counts], schema=LABEL_SCHEMA)
    return iter(table.to_batches(max_chunksize=batch_rows))


def totals(rows: Labels) -> Counter[bytes]:
    found: Counter[bytes] = Counter()
    for label, count in rows:
        found[label] += count
    return found


def expected_distance(before: Labels, after: Labels) -> Fraction:
    old, new = totals(before), totals(after)
    shares = [{label: Fraction(n, side.total()) for label, n in side.items()} for side in (old, new)]
    return sum((abs(shares[0].get(i, 0) - shares[1].get(i, 0)) for i in old | new), Fraction(0)) / 2


def found(before: Labels, after: Labels, num_largest: int = 5) -> LabelDifferences:
    return compare_labels(count_labels(batches(before)), count_labels(batches(after)), num_largest)


@pytest.mark.parametrize("seed", range(20))
def test_the_distance_is_the_float_nearest_to_the_exact_one(seed: int) -> None:
    draw = random.Random(seed)
    before, after = (
        [(b"%d" % draw.randint(0, 9 + seed), draw.randint(1, 10 ** draw.randint(1, 12))) for _ in range(40)]
        for _ in range(2)
    )
    assert found(before, after).distance == float(expected_distance(before, after))


def test_labels_that_moved_most_come_first_and_equal_ones_by_their_bytes() -> None:
    result = found([(b"b", 2), (b"a", 2), (b"c", 6)], [(b"c", 3), (b"d", 2)], num_largest=3)
    assert result.largest == (LabelChange(b"d", 0, 2), LabelChange(b"a", 2, 0), LabelChange(b"b", 2, 0))
    assert (result.num_before, result.num_after, result.distance) == (10, 5, 0.4)


def test_the_same_shares_are_no_distance_and_have_no_changes() -> None:
    assert found([(b"a", 1), (b"b", 2)], [(b"b", 20), (b"a", 10)]) == LabelDifferences(0.0, 3, 30, ())


@pytest.mark.parametrize(
    ("before", "after", "distance"), [([], [], 0.0), ([(b"a", 1)], [], 1.0), ([], [(b"a", 1)], 1.0)]
)
def test_no_labels_are_as_far_as_can_be_from_some(before: Labels, after: Labels, distance: float) -> None:
    assert found(before, after).distance == distance


def test_the_labels_of_more_than_a_block_are_counted_together() -> None:
    rows = [(b"%d" % (i % 50_000), i) for i in range(200_000)]  # waiting for three blocks, of labels seen and unseen
    counted = count_labels(batches(rows, batch_rows=20_000))
    assert len(counted) == 50_000
    assert dict(zip(counted["label"].to_pylist(), counted["num_examples"].to_pylist(), strict=True)) == totals(rows)
