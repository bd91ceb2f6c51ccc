"""Rates and percentiles, against NumPy by hand."""

from __future__ import annotations

import doctest

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cards.training.percentiles
from cards.training import EVALUATION_SCHEMA, choose_rates, percentile_table
from cards.training.percentiles import PERCENTILE_SCHEMA, percentile
from groupstream.errors import UsageError

NAN = float("nan")


def evaluation_of(*rows: tuple) -> pa.Table:
    """Rows of algorithm, seed, group, rate, targets, loss before, loss after, is_selection."""
    columns = [
        (a, s, g, r, n, before, after, 1 / (1 + before), 1 / (1 + after), selection)
        for a, s, g, r, n, before, after, selection in rows
    ]
    arrays = zip(zip(*columns, strict=True), EVALUATION_SCHEMA, strict=True)
    return pa.table([pa.array(values, f.type) for values, f in arrays], schema=EVALUATION_SCHEMA)


def test_examples_in_docstrings_run() -> None:
    assert doctest.testmod(cards.training.percentiles).failed == 0


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.sampled_from([0, 10, 50, 90, 100]))
def test_percentile_is_that_of_numpy_where_all_are_numbers(values: list[float], percent: float) -> None:
    expected = pytest.approx(float(np.percentile(values, percent)), rel=1e-9, abs=1e-6)
    assert percentile(np.array(values), percent) == expected
    assert percentile(np.array(values), percent, more_is_better=True) == expected


def test_nan_is_worse_than_any_number() -> None:
    losses = np.array([NAN, 1.0, 2.0, NAN, 3.0])
    assert [percentile(losses, p) for p in (0, 25, 50)] == [1.0, 2.0, 3.0]
    assert np.isnan([percentile(losses, p) for p in (51, 75, 90)]).all()
    assert np.isnan([percentile(losses, p, more_is_better=True) for p in (10, 25)]).all()
    assert percentile(losses, 100, more_is_better=True) == 3.0


def test_rate_is_chosen_by_mean_over_selection_groups_only() -> None:
    table = evaluation_of(
        ("a", 0, b"s1", 0.1, 5, 3.0, 2.0, True),
        ("a", 0, b"s2", 0.1, 5, 3.0, 4.0, True),
        ("a", 0, b"s1", 1.0, 5, 3.0, 2.5, True),
        ("a", 0, b"s2", 1.0, 5, 3.0, 3.0, True),
        ("a", 0, b"r", 0.1, 5, 3.0, 0.1, False),  # would choose 0.1
        ("a", 0, b"r", 1.0, 5, 3.0, 9.0, False),
        ("a", 1, b"s1", 0.1, 5, 3.0, 1.0, True),
        ("a", 1, b"s1", 1.0, 5, 3.0, 1.5, True),
    )
    assert choose_rates(table) == {("a", 0): 1.0, ("a", 1): 0.1}
    assert percentile_table(table).to_pylist()[1]["p50"] == 9.0


def test_rate_that_diverges_is_not_chosen_for_the_groups_that_are_left() -> None:
    rows = [("a", 0, b"s1", 1.0, 5, 3.0, 0.5, True), ("a", 0, b"s1", 0.1, 5, 3.0, 2.0, True)]
    rows += [("a", 0, b"s2", 1.0, 5, 3.0, bad, True) for bad in (NAN,)] + [("a", 0, b"s2", 0.1, 5, 3.0, 2.0, True)]
    assert choose_rates(evaluation_of(*rows)) == {("a", 0): 0.1}
    infinite = [(*row[:6], float("inf") if row[6] != row[6] else row[6], row[7]) for row in rows]
    assert choose_rates(evaluation_of(*infinite)) == {("a", 0): 0.1}


def test_selection_group_without_targets_has_no_say() -> None:
    rows = [("a", 0, b"s", rate, 5, 3.0, loss, True) for rate, loss in ((0.1, 2.0), (1.0, 3.0))]
    rows += [("a", 0, b"empty", rate, 0, NAN, loss, True) for rate, loss in ((0.1, NAN), (1.0, 0.0))]
    assert choose_rates(evaluation_of(*rows)) == {("a", 0): 0.1}


def test_equal_rates_and_rates_that_all_diverge_give_the_lowest() -> None:
    for loss in (2.0, NAN):
        rows = [("a", 0, b"s", rate, 5, 3.0, loss, True) for rate in (1.0, 0.1, 0.5)]
        assert choose_rates(evaluation_of(*rows)) == {("a", 0): 0.1}


def test_rates_without_selection_groups_are_refused_but_for_a_single_one() -> None:
    one = ("a", 3, b"r", 0.1, 5, 3.0, 2.0, False)
    assert choose_rates(evaluation_of(one)) == {("a", 3): 0.1}
    with pytest.raises(UsageError, match=r"a, seed 3: 2 rates .* is_selection"):
        choose_rates(evaluation_of(one, ("a", 3, b"r", 1.0, 5, 3.0, 2.0, False)))


def test_missing_column_is_named() -> None:
    with pytest.raises(UsageError, match="evaluation has no column 'is_selection'"):
        choose_rates(EVALUATION_SCHEMA.empty_table().drop_columns(["is_selection"]))


def test_table_is_what_numpy_gives(make_evaluation) -> None:
    table = make_evaluation({"FedAvg": (3.0, 2.4), "x": (2.9, 2.6)}, 300, seeds=(0, 1, 5))
    found = percentile_table(table)
    assert found.schema == PERCENTILE_SCHEMA and len(found) == 8
    frame, rows = table.to_pandas(), found.to_pylist()
    for row in rows:
        ours = frame[(frame.algorithm == row["algorithm"]) & ~frame.is_selection & (frame.learning_rate == 0.1)]
        seeds = [ours[ours.seed == seed] for seed in (0, 1, 5)]
        for percent in (10, 50, 90):
            each = [np.percentile(s[f"{row['measure']}_{row['moment']}"], percent) for s in seeds]
            assert row[f"p{percent}"] == pytest.approx(np.mean(each), rel=1e-12)
            assert row[f"p{percent}_min"] == pytest.approx(min(each), rel=1e-12)
            assert row[f"p{percent}_max"] == pytest.approx(max(each), rel=1e-12)
        better = np.mean([(s.loss_after < s.loss_before).mean() for s in seeds])
        assert row["share_better"] == (pytest.approx(better) if row["moment"] == "after" else None)
        assert (row["num_seeds"], row["num_groups"]) == (3, 3 * 240)
        assert row["num_not_finite"] == row["num_without_targets"] == 0


def test_groups_without_a_number_are_counted_and_no_better() -> None:
    rows = [("a", 0, b"%d" % i, 0.1, 5, 3.0, loss, False) for i, loss in enumerate((1.0, 2.0, NAN, float("inf"), 4.0))]
    before, after, *_ = percentile_table(evaluation_of(*rows, ("a", 0, b"e", 0.1, 0, NAN, NAN, False))).to_pylist()
    assert (before["num_not_finite"], after["num_not_finite"]) == (0, 2)
    assert (after["num_groups"], after["num_without_targets"]) == (5, 1)
    assert after["share_better"] == 2 / 5 and after["p50"] == 4.0 and np.isnan(after["p90"])


def test_order_of_rows_does_not_matter(make_evaluation) -> None:
    table = make_evaluation({"b": (3.0, 2.4), "FedSGD": (3.0, 2.4), "fedavg": (2.9, 2.6)}, 40)
    shuffled = table.take(np.random.default_rng(0).permutation(len(table)))
    assert percentile_table(table).equals(percentile_table(shuffled))
    assert percentile_table(table)["algorithm"].unique().to_pylist() == ["fedavg", "FedSGD", "b"]
