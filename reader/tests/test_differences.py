"""Differences of two group tables, against plain dictionaries."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from groupstream.differences import Differences, by_stored_hash, by_unkeyed_hash, compare, merged
from groupstream.errors import CorruptError
from groupstream.group_order import hash_group_ids

Sizes = dict[bytes, tuple[int, int]]  # examples and bytes


def batches(sizes: Sizes, seed: int, batch_rows: int) -> Iterator[pa.RecordBatch]:
    """A group table as it is stored, in batches that are slices of other ones, as Parquet may give them."""
    hashes = [row.tobytes() for row in hash_group_ids(sizes, seed)]
    rows = sorted(zip(hashes, sizes, strict=True))
    table = pa.table(
        {
            "group_hash": pa.array([h for h, _ in rows], pa.binary(16)),
            "group_id": pa.array([i for _, i in rows], pa.binary()),
            "num_examples": pa.array([sizes[i][0] for _, i in rows], pa.int64()),
            "num_bytes": pa.array([sizes[i][1] for _, i in rows], pa.int64()),
        }
    )
    return iter(table.to_batches(max_chunksize=batch_rows))


def stored_ids(sizes: Sizes, seed: int) -> list[bytes]:
    return [row for batch in batches(sizes, seed, 100) for row in batch.column("group_id").to_pylist()]


def expected(before: Sizes, after: Sizes) -> Differences:
    both = [(before[i], after[i]) for i in before if i in after]
    return Differences(
        added=sum(i not in before for i in after),
        removed=sum(i not in after for i in before),
        grown=sum(new[0] > old[0] for old, new in both),
        shrunk=sum(new[0] < old[0] for old, new in both),
        rewritten=sum(new[0] == old[0] and new[1] != old[1] for old, new in both),
        kept=sum(new == old for old, new in both),
    )


def made_up(draw: random.Random, num_groups: int) -> Sizes:
    ids = draw.sample(range(3 * num_groups), num_groups)
    return {b"group %d" % i: (draw.randint(1, 9), draw.randint(50, 52)) for i in ids}


CASES: dict[str, Callable[[random.Random], tuple[Sizes, Sizes]]] = {
    "two of many": lambda draw: (made_up(draw, 500), made_up(draw, 400)),
    "one of few": lambda draw: (made_up(draw, 3), made_up(draw, 500)),
    "none before": lambda draw: ({}, made_up(draw, 50)),
    "none after": lambda draw: (made_up(draw, 50), {}),
    "none at all": lambda draw: ({}, {}),
    "apart": lambda draw: ({b"a": (1, 1)}, {b"b": (2, 2)}),
}


@pytest.mark.parametrize("rows", [(1, 1), (7, 64), (64, 7), (1000, 1000)])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("seeds", [(5, 5), (5, 6)])
def test_two_tables_differ_as_two_dictionaries_do(case: str, seeds: tuple[int, int], rows: tuple[int, int]) -> None:
    before, after = CASES[case](random.Random(case))
    read = by_stored_hash if seeds[0] == seeds[1] else by_unkeyed_hash
    found = compare(read(batches(before, seeds[0], rows[0])), read(batches(after, seeds[1], rows[1])), num_largest=8)
    assert replace(found, num_largest=5, largest_added=[], largest_removed=[], largest_changed=[]) == expected(
        before, after
    )
    sizes = {i: abs(after.get(i, (0,))[0] - before.get(i, (0,))[0]) for i in {*before, *after}}
    assert [change.size for change in found.largest] == sorted(filter(None, sizes.values()), reverse=True)[:8]
    places = {False: stored_ids(before, seeds[0]), True: stored_ids(after, seeds[1])}
    for change in found.largest:
        group_id = places[change.is_after][change.position]
        assert (change.before, change.after) == (before.get(group_id, (0,))[0], after.get(group_id, (0,))[0])
    for kept, kind in (
        (found.largest_added, {i for i in after if i not in before}),
        (found.largest_removed, {i for i in before if i not in after}),
        (found.largest_changed, {i for i in after if i in before}),
    ):
        assert [change.size for change in kept] == sorted((sizes[i] for i in kind if sizes[i]), reverse=True)[:8]


@pytest.mark.parametrize("read", [by_stored_hash, by_unkeyed_hash])
@pytest.mark.parametrize("rows", [(1, 1, 1), (7, 64, 20), (1000, 1000, 1000)])
def test_tables_are_merged_as_dictionaries_are_added(read: Any, rows: tuple[int, int, int]) -> None:
    draw = random.Random(str(rows))
    tables = [made_up(draw, num_groups) for num_groups in (300, 50, 200)]
    whole: Sizes = {}
    for table in tables:
        for i, (examples, size) in table.items():
            whole[i] = (whole.get(i, (0, 0))[0] + examples, whole.get(i, (0, 0))[1] + size)
    parts = list(merged([read(batches(table, 5, n)) for table, n in zip(tables, rows, strict=True)]))
    assert all(len(part) for part in parts)
    found = compare(iter(parts), read(batches(whole, 5, 50)))
    assert (found.kept, found.largest) == (len(whole), [])
    assert found.added + found.removed + found.grown + found.shrunk + found.rewritten == 0


def test_hashes_that_share_their_first_half_are_told_apart() -> None:
    def table(hashes: list[bytes]) -> pa.RecordBatch:
        ones = pa.array([1] * len(hashes), pa.int64())
        return pa.record_batch(
            [pa.array(hashes, pa.binary(16)), ones, ones], ["group_hash", "num_examples", "num_bytes"]
        )

    first = b"\x01" * 8
    before = [first + b"\x00" * 8, first + b"\x05" * 8, first + b"\xff" * 8]
    after = [first + b"\x00" * 8, first + b"\x06" * 8]
    for num_rows in (1, 2, 3):
        parts = [
            by_stored_hash([table(hashes[i : i + num_rows]) for i in range(0, len(hashes), num_rows)])
            for hashes in (before, after)
        ]
        found = compare(*parts)
        assert (found.kept, found.removed, found.added) == (1, 2, 1)


def test_a_table_that_does_not_ascend_is_refused() -> None:
    sizes = {b"%d" % i: (1, 1) for i in range(50)}
    for rows in (7, 100):
        [*parts] = batches(sizes, 0, rows)
        assert len(list(by_stored_hash(parts))) == len(parts)
        table = pa.Table.from_batches(parts)
        for swapped in ([1, 0, *range(2, 50)], [*range(48), 49, 48], [*range(6), 7, 6, *range(8, 50)]):
            with pytest.raises(CorruptError, match="do not ascend by their hashes"):
                list(by_stored_hash(table.take(swapped).combine_chunks().to_batches(max_chunksize=rows)))


def test_parts_are_taken_as_they_are_needed() -> None:
    """What is held is bounded: of two tables that ascend together neither is read ahead of the other."""
    taken = [0, 0]

    def parts(side: int) -> Iterator[np.ndarray]:
        for part in by_stored_hash(batches({b"%d" % i: (1, 1) for i in range(1_000)}, 0, 10)):
            taken[side] += 1
            assert abs(taken[0] - taken[1]) <= 1
            yield part

    assert compare(parts(0), parts(1)).kept == 1_000
    assert taken == [100, 100]
