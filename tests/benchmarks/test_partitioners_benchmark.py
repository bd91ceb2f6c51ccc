"""The benchmark of partitioners, on few examples."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from benchmarks.partitioners import CASES, NATURAL_KEY, make_examples, measure, parts_of, ratios_of, table_of
from partitioners import AnyPartitioner
from partitioners.function import ALLOWED_PACKAGES


@pytest.mark.integration
def test_every_partitioner_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALLOWED_PACKAGES, "benchmarks")
    seconds = measure(parts_of(make_examples(12_000)), tmp_path, 1)
    kinds = {model.model_fields["kind"].default for model in get_args(get_args(AnyPartitioner)[0])}
    assert {case["kind"] for case in CASES.values()} == kinds
    assert set(seconds) == set(CASES)
    assert min(min(turns) for turns in seconds.values()) > 0


def test_table_compares_with_the_natural_key() -> None:
    seconds = {NATURAL_KEY: [0.5, 1.0], "iid": [4.0, 2.0]}
    lines = table_of(seconds, 1_000_000).splitlines()
    assert lines[2:] == [f"| {NATURAL_KEY} | 2.00 M | 1.0 |", "| iid | 0.50 M | 4.0 |"]
    assert [(ratio.case, ratio.values) for ratio in ratios_of(seconds)] == [("iid", (8.0, 2.0))]
