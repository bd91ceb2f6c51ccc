"""Partitioners that count first, through the whole pipeline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from groupstream import ExampleError, SpecError
from pipelines.partition import partition
from pipelines.plan import make_plan
from pipelines.staging import staging_area
from pipelines.transforms import MergeCounts
from specs import Spec


def group_sizes(folder: Path, root: Path, partitioner: dict[str, Any], **more: Any) -> list[int]:
    fields = {
        "name": "test",
        "source": {"kind": "jsonl", "paths": [f"{folder}/*.jsonl"]},
        "partitioner": partitioner,
        **more,
    }
    with staging_area(root) as staging:
        partitioned = partition(make_plan(Spec.model_validate(fields, extra="forbid")), staging)
        return sorted(pq.read_table(partitioned.splits["train"].group_table)["num_examples"].to_pylist())


def test_sizes_are_exact(jsonl_source, tmp_path):
    assert group_sizes(jsonl_source, tmp_path, {"kind": "fixed_sizes", "sizes": [100, 500, 300]}) == [100, 300, 500]


def test_examples_that_a_check_drops_are_not_counted(jsonl_source, tmp_path):
    checks = {"examples": {"row": {"max_value": 199}}, "max_rejected": 300}
    partitioner = {"kind": "fixed_sizes", "num_groups": 6}
    assert group_sizes(jsonl_source, tmp_path, partitioner, checks=checks) == [100] * 6


def test_what_the_counts_do_not_allow_is_refused_before_anything_is_spilled(jsonl_source, tmp_path):
    with pytest.raises((SpecError, ExampleError), match="900"):
        group_sizes(jsonl_source, tmp_path, {"kind": "fixed_sizes", "num_groups": 901})
    assert not list((tmp_path / ".staging").iterdir())


class _Sums:
    """Counts that are multisets, and how many were ever merged at once."""

    def merge(self, counts: Iterable[Counter]) -> Counter:
        total: Counter = Counter()
        for one in counts:
            total.update(one)
        return total


def test_few_counts_are_held_however_many_there_are():
    combine = MergeCounts(_Sums())
    accumulator, held = combine.create_accumulator(), 0
    for number in range(1000):
        accumulator = combine.add_input(accumulator, Counter([number]))
        held = max(held, len(accumulator))
    assert held <= 10
    both = combine.merge_accumulators([accumulator, combine.add_input([], Counter([1000]))])
    assert combine.extract_output(both) == Counter(range(1001))
    assert combine.extract_output(combine.create_accumulator()) == Counter()
