"""The page on FedC4 holds what its script computes from the rates that were measured last."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.pipeline.extrapolate import BEGIN, END, PAGE, figures, rewritten
from benchmarks.pipeline.fedc4 import Build, Workload, distinct_groups
from benchmarks.pipeline.rates import load


def test_the_page_is_up_to_date():
    page = PAGE.read_text()
    assert rewritten(page, figures(load())) == page, "run: python -m benchmarks.pipeline.extrapolate"


def test_only_what_stands_between_the_marks_is_replaced():
    assert rewritten(f"a\n{BEGIN}\nold\n{END}\nb\n", "new") == f"a\n{BEGIN}\n\nnew\n\n{END}\nb\n"
    with pytest.raises(ValueError, match=r"fedc4.md lacks the line"):
        rewritten(f"a\n{BEGIN}\nold\n", "new")


def test_groups_that_a_run_meets_are_between_one_and_all():
    work = Workload()
    assert distinct_groups(1, work) == pytest.approx(1, rel=1e-4)
    assert distinct_groups(1_000, work) < 1_000
    assert distinct_groups(1e12, work) == pytest.approx(work.num_groups, rel=1e-3)
    all_at_once = distinct_groups(work.num_examples, work)
    assert work.num_groups / 2 < all_at_once < work.num_groups


def test_reads_grow_with_the_square_and_bytes_in_a_straight_line():
    build = Build(Workload(), load())
    double = Build(Workload().times(2), load())
    assert double.stored_bytes == pytest.approx(2 * build.stored_bytes)
    assert double.num_runs == 2 * build.num_runs
    assert double.index_reads == 2 * double.num_runs * double.num_shards
    assert double.range_reads == pytest.approx(4 * build.range_reads, rel=0.2)


def test_a_core_of_half_the_speed_doubles_the_work_and_nothing_else():
    rates = load()
    slow = replace(rates, bytes_per_second={stage: speed / 2 for stage, speed in rates.bytes_per_second.items()})
    fast, half = Build(Workload(), rates), Build(Workload(), slow)
    assert half.spill_cpu_seconds == pytest.approx(2 * fast.spill_cpu_seconds)
    assert half.waiting_seconds == fast.waiting_seconds
    assert fast.total_seconds < half.total_seconds < 2 * fast.total_seconds
