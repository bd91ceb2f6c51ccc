from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groupstream import SourceError
from partitioners import ExampleIds
from partitioners.histogram import MAX_BINS, Histogram, count_values, merge_histograms, ordered_keys

_FINITE = st.floats(allow_nan=False, allow_infinity=False)


def _counted(values: list[float] | np.ndarray, first_row: int = 0) -> Histogram:
    numbers = np.asarray(values, np.float64)
    return count_values(numbers, ExampleIds(0, np.arange(first_row, first_row + len(numbers)), first_row))


@settings(max_examples=200, deadline=None)
@given(st.lists(_FINITE, max_size=50))
def test_keys_sort_as_numbers(values: list[float]) -> None:
    numbers = np.array(values, np.float64)
    keys = ordered_keys(numbers)
    order = np.argsort(keys, kind="stable")
    assert (np.diff(numbers[order]) >= 0).all()
    assert len(set(keys.tolist())) == len(set(values))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(_FINITE, max_size=9), max_size=9), st.integers(0, 2**32))
def test_few_values_are_counted_exactly_in_any_order(batches: list[list[float]], seed: int) -> None:
    order = random.Random(seed)
    counts = [_counted(values, 10 * i) for i, values in enumerate(batches)]
    again = order.sample(counts, order.randint(0, len(counts)))
    some = merge_histograms(order.sample(counts, len(counts) // 2))
    merged = merge_histograms(order.sample(counts + again + [some], len(counts) + len(again) + 1))
    found = dict(zip(merged.values.tolist(), merged.counts.tolist(), strict=True))
    assert found == Counter(value for values in batches for value in values)


def test_many_values_are_counted_in_bins_that_do_not_depend_on_the_order() -> None:
    values = np.random.default_rng(0).lognormal(3, 2, 600_000) * np.tile([1, -1, 1], 200_000)
    counts = [_counted(part, i) for i, part in enumerate(np.array_split(values, 12))]
    merged = merge_histograms(counts)
    nested = merge_histograms([merge_histograms(counts[7:]), merge_histograms(counts[:7][::-1])])
    assert merged.bits == nested.bits < 64
    assert (merged.keys.tolist(), merged.counts.tolist()) == (nested.keys.tolist(), nested.counts.tolist())
    keys = ordered_keys(values)
    exact, numbers = np.unique(keys >> np.uint64(64 - merged.bits), return_counts=True)
    assert (merged.keys.tolist(), merged.counts.tolist()) == (exact.tolist(), numbers.tolist())
    assert len(merged.keys) <= MAX_BINS < len(np.unique(keys >> np.uint64(63 - merged.bits)))


def test_middle_of_a_bin_is_between_its_ends() -> None:
    values = np.sort(np.random.default_rng(0).normal(size=300_000))
    merged = merge_histograms([_counted(values)])
    places = np.searchsorted(merged.keys, ordered_keys(values) >> np.uint64(64 - merged.bits))
    assert np.allclose(merged.values[places], values, rtol=2.0 ** (11 - merged.bits), atol=0)
    assert (np.diff(merged.values) > 0).all()


def test_batches_that_cannot_be_told_apart_are_refused() -> None:
    one, two, three = (_counted([1.0], i) for i in range(3))
    with pytest.raises(SourceError, match="batches were counted twice"):
        merge_histograms([merge_histograms([one, two]), merge_histograms([two, three])])
