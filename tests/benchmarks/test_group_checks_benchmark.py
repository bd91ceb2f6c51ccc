"""The benchmark of checks of groups measures what it says, tried on a few groups."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.checks.group_tables import SHARES, make_group_tables
from benchmarks.checks.groups import check, table
from benchmarks.pipeline.memory import Usage
from groupstream import layout
from groupstream.group_table import statistics_of
from groupstream.manifest import Manifest


def test_every_kind_of_check_is_asked_and_one_fails(tmp_path: Path) -> None:
    folder = tmp_path / "groups"
    make_group_tables(folder, 3_000)
    found = check(folder)
    assert (found["checks"], found["failed"]) == (17, 1)


def test_the_tables_are_those_of_a_version(tmp_path: Path) -> None:
    folder = tmp_path / "groups"
    make_group_tables(folder, 3_000)
    manifest = Manifest.from_json((folder / layout.MANIFEST).read_bytes(), "made")
    assert sum(split.statistics.num_groups for split in manifest.splits.values()) == 3_000
    for name in SHARES:
        groups = pq.read_table(folder / layout.group_table_file(name))
        labels = pq.read_table(folder / layout.label_table_file(name))
        assert statistics_of(groups) == manifest.splits[name].statistics
        summed = labels.group_by("group_row").aggregate([("num_examples", "sum")]).sort_by("group_row")
        assert summed["num_examples_sum"].to_pylist() == groups["num_examples"].to_pylist()
        assert labels["group_row"].to_pylist() == sorted(labels["group_row"].to_pylist())


def test_a_broken_promise_is_shown() -> None:
    def run(seconds: float, peak_bytes: int) -> Usage:
        return Usage(seconds, peak_bytes, 0, json.dumps({"checks": 17, "seconds": 1.0}))

    kept = "\n".join(table({1_000_000: run(9, 10**8), 5_000_000: run(30, 10**8 + 4_000_000 * 32)}))
    assert kept.count("kept") == 3
    broken = "\n".join(table({1_000_000: run(9, 10**8), 5_000_000: run(61, 10**9)}))
    assert (broken.count("MISSED"), broken.count("kept")) == (3, 0)
