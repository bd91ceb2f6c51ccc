"""The cases of the pipeline's benchmarks run, and their tables say what was kept."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.pipeline import scale, sort_peers
from benchmarks.pipeline.build import spec_of
from benchmarks.pipeline.duckdb_sort import num_sorted
from benchmarks.pipeline.make_data import Made, make_data
from benchmarks.pipeline.memory import Usage
from groupstream.tfrecord import unframe

MADE = Made("", {}, num_examples=1_000_000, num_groups=1_000, payload_bytes=1_000_000_000)


def used(seconds: float, peak_bytes: float) -> Usage:
    found = {"seconds": seconds, "examples": 1_000_000, "groups": 1_000, "shards": 4}
    return Usage(seconds + 1, int(peak_bytes), 2_000_000_000, json.dumps(found))


@pytest.mark.integration
def test_a_build_keeps_every_example_and_says_how_many(tmp_path: Path):
    made = make_data(tmp_path, "zipf-1.5gb", part=0.001)
    spec = spec_of(made.source, "key", publish={"shard_bytes": 500_000})
    command = [sys.executable, "-m", "benchmarks.pipeline.build", str(tmp_path / "root"), json.dumps(spec)]
    done = subprocess.run([*command, "--keep", str(tmp_path / "kept")], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["examples"], found["groups"]) == (made.num_examples, made.num_groups)
    assert 0 < found["plan_seconds"] < found["seconds"]
    shards = sorted((tmp_path / "kept").glob("*.tfrecord"))
    assert len(shards) == found["shards"] > 1
    assert sum(len(unframe(path.read_bytes(), path.name)) for path in shards) == made.num_examples
    assert sum(path.stat().st_size for path in shards) == found["bytes"]


@pytest.mark.integration
def test_duckdb_sorts_every_example(tmp_path: Path):
    made = make_data(tmp_path, "zipf-1.5gb", part=0.001)
    (tmp_path / "place").mkdir()
    assert sort_peers.duckdb(made, tmp_path / "place").found["seconds"] > 0
    table = pq.read_table(tmp_path / "place" / "sorted.parquet")
    assert len(table) == made.num_examples and set(table.column_names) == {"key", "text"}


def test_a_file_that_is_not_sorted_is_noticed(tmp_path: Path):
    pq.write_table(pa.table({"key": ["a", "b", "b", "c"]}), tmp_path / "sorted.parquet")
    pq.write_table(pa.table({"key": ["a", "c", "b", "d"]}), tmp_path / "other.parquet")
    assert num_sorted(tmp_path / "sorted.parquet") == 4
    with pytest.raises(AssertionError):
        num_sorted(tmp_path / "other.parquet")


def test_ratios_are_those_of_the_same_turn_and_memory_that_of_the_worst():
    runs = {
        "duckdb": [used(10, 2e9), used(20, 1e9), used(10, 2e9)],
        "groupstream": [used(9, 1e9), used(18, 2.5e9), used(90, 1e9)],
    }
    *_, seconds, memory = sort_peers._tables(MADE, runs)
    assert seconds == "| seconds, median of the turns | 0.90 | 1 | kept |"
    assert memory == "| peak memory | 1.25 | 1 | MISSED |"


@pytest.mark.parametrize(
    ("seconds", "peak_bytes", "verdict"), [(12.0, 2.9e9, "kept"), (12.0, 3.1e9, "MISSED"), (13.0, 2.9e9, "MISSED")]
)
def test_time_a_gigabyte_and_memory_have_limits(seconds: float, peak_bytes: float, verdict: str):
    rows = [(scale.BASE, scale.Row(MADE, used(9, 1e9))), (scale.BASE, scale.Row(MADE, used(11, 1e9)))]
    table = scale._table([*rows, ("hot-10gb", scale.Row(MADE, used(seconds, peak_bytes)))], 2_500_000_000)
    assert table[-1].endswith(f"| {verdict} |")
    assert f"| {seconds / 10:.2f} |" in table[-1]


@pytest.mark.integration
def test_every_stage_has_a_rate(tmp_path: Path):
    pytest.importorskip("tensorflow_datasets")
    from benchmarks.pipeline.rates import STAGES

    code = (
        "import json, sys, pathlib; from dataclasses import asdict; from benchmarks.pipeline.rates import measure; "
        "print(json.dumps(asdict(measure(pathlib.Path(sys.argv[1]), 800, 1))))"
    )  # in a process of its own, since it turns off the threads of Arrow
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    rates = json.loads(done.stdout.splitlines()[-1])
    assert set(rates["bytes_per_second"]) == set(STAGES)
    assert min(rates["bytes_per_second"].values()) > 0
    assert 2_000 < rates["example_bytes"] < rates["stored_bytes"] < 3_000
    assert not list(tmp_path.glob("pages*"))
