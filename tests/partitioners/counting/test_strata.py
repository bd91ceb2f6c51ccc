from __future__ import annotations

import random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groupstream import SourceError, SpecError
from partitioners import ExampleIds
from partitioners.ranks import Ranks
from partitioners.strata import StratumCounts, count_strata, merge_strata, same_stratum

_COLUMNS = ("pieces", "first_rows", "lengths", "codes", "counts")


def _counted(names: list[Any], piece: int = 0, first_row: int = 0) -> StratumCounts:
    rows = np.arange(first_row, first_row + len(names))
    return count_strata(pa.array(names, pa.binary()), ExampleIds(piece, rows, first_row))


def _content(counts: StratumCounts) -> tuple[Any, ...]:
    return counts.strata, *(getattr(counts, column).tolist() for column in _COLUMNS)


def test_batch_is_counted_by_stratum_without_those_in_none() -> None:
    counts = _counted([b"b", None, b"a", b"", b"b"], piece=3, first_row=10)
    assert _content(counts) == ((b"a", b"b"), [3], [10], [2], [0, 1], [1, 2])
    assert counts.totals.tolist() == [1, 2]


def test_merging_gives_batches_in_order_each_once() -> None:
    early, late, other = _counted([b"b"]), _counted([b"c", b"a", b"c"], first_row=1), _counted([b"a"], piece=1)
    merged = merge_strata([other, late, merge_strata([late, early])])
    assert _content(merged) == ((b"a", b"b", b"c"), [0, 0, 1], [0, 1, 0], [1, 2, 1], [1, 0, 2, 0], [1, 1, 2, 1])
    assert merged.totals.tolist() == [2, 1, 2]


def test_merging_nothing_gives_nothing() -> None:
    assert _content(merge_strata([])) == ((), [], [], [], [], [])
    assert _content(merge_strata([merge_strata([]), _counted([b"a"])])) == _content(_counted([b"a"]))


def test_batch_that_changed_between_two_counts_is_refused() -> None:
    with pytest.raises(SourceError, match="a batch was counted twice and held other examples the second time"):
        merge_strata([_counted([b"a"]), _counted([b"a", b"a"])])
    with pytest.raises(SourceError, match="counted twice"):
        merge_strata([_counted([b"a", b"b"]), _counted([b"a"])])


def test_too_many_strata_are_refused() -> None:
    with pytest.raises(SpecError, match="the label has over 2 values, such as b'a'; name a feature that has fewer"):
        merge_strata([_counted([b"a", b"b"]), _counted([b"c"], first_row=2)], max_strata=2)


_BATCHES = st.lists(st.lists(st.sampled_from([b"a", b"b", b"c", None]), min_size=1, max_size=9), min_size=1, max_size=9)


@settings(max_examples=200, deadline=None)
@given(_BATCHES, st.integers(0, 2**32))
def test_ranks_of_a_stratum_are_each_number_once(batches: list[list[bytes | None]], seed: int) -> None:
    order = random.Random(seed)
    named = [(names, i % 3, i) for i, names in enumerate(batches)]
    counts = [_counted(*batch) for batch in named]
    again = order.sample(counts, order.randint(0, len(counts)))
    ranks = Ranks.of(merge_strata(order.sample(counts + again, len(counts + again))), seed=7)
    found: dict[bytes | None, list[int]] = {}
    for names, piece, first_row in named:
        ids = ExampleIds(piece, np.arange(first_row, first_row + len(names)), first_row)
        for name, place in zip(names, ranks.places(pa.array(names, pa.binary()), ids).tolist(), strict=True):
            found.setdefault(name, []).append(place)
    assert set(found.pop(None, [-1])) == {-1}
    in_order = [place for name in sorted(found, key=bytes) for place in sorted(found[name])]
    assert in_order == list(range(ranks.counts.totals.sum()))


def test_ranks_do_not_depend_on_where_batches_end() -> None:
    def ranks_of(size: int) -> list[int]:
        starts = range(0, 100, size)
        every = [ExampleIds(0, np.arange(s, min(s + size, 100)), s) for s in starts]
        ranks = Ranks.of(merge_strata(count_strata(same_stratum(len(ids.rows)), ids) for ids in every), seed=1)
        return [place for ids in every for place in ranks.places(same_stratum(len(ids.rows)), ids).tolist()]

    assert ranks_of(100) == ranks_of(7) == ranks_of(1)
    assert ranks_of(100) != list(range(100))


@pytest.mark.parametrize("changed", [[b"a"], [b"a", b"b", b"b"], [b"a", b"c"], [b"a", b"b", None, b"c"]])
def test_batch_that_is_not_as_it_was_counted_is_refused(changed: list[bytes | None]) -> None:
    ranks = Ranks.of(_counted([b"a", b"b"]), seed=0)
    assert ranks.places(pa.array([b"b", b"a"]), ExampleIds(0, np.arange(2))).tolist() == [1, 0]
    with pytest.raises(SourceError, match="piece 0 holds other examples after row 0 than when they were counted"):
        ranks.places(pa.array(changed, pa.binary()), ExampleIds(0, np.arange(len(changed))))
    with pytest.raises(SourceError, match="piece 1 holds other examples"):
        ranks.places(pa.array([b"a", b"b"]), ExampleIds(1, np.arange(2)))


def test_counts_of_many_batches_stay_small() -> None:
    every = [_counted([b"a", b"b"], piece=i % 100, first_row=i) for i in range(5_000)]
    merged = merge_strata(every)
    assert sum(getattr(merged, column).nbytes for column in _COLUMNS) == 5_000 * (24 + 2 * 8)
