"""The whole pipeline on Beam's local runner."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from groupstream import CorruptError, ExampleError, SourceError, WorkerError
from pipelines.merge import MergedShard
from pipelines.partition import Partitioned, _least_bytes, _reconcile, partition
from pipelines.plan import make_plan
from pipelines.staging import staging_area
from pipelines.tally import Tally
from specs import Spec


def spec_for(folder: Path, **changes) -> Spec:
    fields = {
        "name": "test",
        "source": {"kind": "jsonl", "paths": [f"{folder}/*.jsonl"]},
        "partitioner": {"kind": "feature", "feature": "key"},
        "publish": {"shard_bytes": 8_000},
    }
    return Spec.model_validate({**fields, **changes}, extra="forbid")


def run(spec: Spec, root: Path, **budget) -> tuple[Partitioned, list[bytes]]:
    plan = make_plan(spec)
    plan = dataclasses.replace(plan, budget=dataclasses.replace(plan.budget, **budget))
    with staging_area(root) as staging:
        result = partition(plan, staging)
        return result, contents(result)


def contents(result: Partitioned) -> list[bytes]:
    """The bytes of every file of every split."""
    found = []
    for split in result.splits.values():
        found += [result.staging.read(shard.path) for shard in split.shards]
        found += [path.read_bytes() for path in (split.group_table, split.label_table) if path is not None]
    return found


def test_examples_in_are_examples_out(tmp_path, jsonl_source):
    with staging_area(tmp_path) as staging:
        result = partition(make_plan(spec_for(jsonl_source)), staging)
        table = pq.read_table(result.splits["train"].group_table)
    assert result.counts.examples_in == result.counts.examples_out == 900 == sum(table["num_examples"].to_pylist())
    assert len(result.splits["train"].shards) > 3


@pytest.mark.integration
def test_bytes_do_not_depend_on_the_number_of_workers(tmp_path, jsonl_source):
    _, one = run(spec_for(jsonl_source, runner={"num_workers": 1}), tmp_path)
    _, two = run(spec_for(jsonl_source, runner={"num_workers": 2, "memory_bytes": 1 << 30}), tmp_path, payload_bytes=1)
    assert one == two


def test_examples_without_a_group_are_refused_with_their_places(tmp_path, jsonl_source):
    (jsonl_source / "part-1.jsonl").write_text(
        '{"key": null, "text": "a"}\n{"key": "x", "text": "b"}\n{"key": "", "text": "c"}\n'
    )
    spec = spec_for(jsonl_source, source={"kind": "jsonl", "paths": [f"{jsonl_source}/*"], "features": ["key", "text"]})
    with pytest.raises(
        ExampleError, match=r"2 of 603 examples have no group.*part-1.jsonl row 1, part-1.jsonl row 3\)"
    ):
        run(spec, tmp_path)


@pytest.mark.parametrize(("missing", "out", "dropped"), [("drop", 601, {"no group": 2}), ("group", 603, {})])
def test_examples_without_a_group_are_dropped_and_counted_or_grouped(tmp_path, jsonl_source, missing, out, dropped):
    (jsonl_source / "part-1.jsonl").write_text(
        '{"key": null, "text": "a"}\n{"key": "x", "text": "b"}\n{"key": "", "text": "c"}\n'
    )
    source = {"kind": "jsonl", "paths": [f"{jsonl_source}/*"], "features": ["key", "text"]}
    partitioner = {"kind": "feature", "feature": "key", "missing": missing}
    result, _ = run(spec_for(jsonl_source, source=source, partitioner=partitioner), tmp_path)
    assert (result.counts.examples_out, result.counts.dropped) == (out, dropped)


@pytest.mark.parametrize("num_workers", [1, pytest.param(2, marks=pytest.mark.integration)])
def test_errors_of_workers_arrive_as_they_were_raised(tmp_path, jsonl_source, num_workers):
    (jsonl_source / "part-1.jsonl").write_text('{"key": "a", "text": "b", "file": 1, "row": 1}\n{"key": oops}\n')
    with pytest.raises(SourceError, match=r"part-1.jsonl"):
        run(spec_for(jsonl_source, runner={"num_workers": num_workers}), tmp_path)


@pytest.mark.integration
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # of Beam's threads
def test_a_killed_worker_ends_the_build_with_one_line(tmp_path, jsonl_source, monkeypatch):
    here = str(Path(__file__).parent)
    monkeypatch.setenv("PYTHONPATH", here)
    monkeypatch.syspath_prepend(here)
    from killing_source import KillingSource

    plan = make_plan(spec_for(jsonl_source, runner={"num_workers": 2}))
    source = KillingSource(survivor=os.getpid())
    plan = dataclasses.replace(plan, spec=plan.spec.model_copy(update={"source": source}))
    with pytest.raises(WorkerError, match="one of 2 worker processes ended before"), staging_area(tmp_path) as staging:
        partition(plan, staging)


def test_examples_that_break_a_check_are_counted_with_their_places(tmp_path, jsonl_source):
    checks = {"examples": {"row": {"max_value": 298}}}
    for tolerance in ({}, {"max_rejected": 3}):  # whether they are too many is said later, with all other checks
        result, _ = run(spec_for(jsonl_source, checks={**checks, **tolerance}), tmp_path)
        assert (result.counts.examples_out, result.counts.dropped) == (897, {"check row: max_value 298": 3})
        places = [words for *_, words in result.tally.offenders["check row: max_value 298"]]
        assert places == ["part-0.jsonl row 300", "part-1.jsonl row 300", "part-2.jsonl row 300"]


def test_a_feature_that_some_examples_lack_becomes_optional(tmp_path, jsonl_source):
    lines = (jsonl_source / "part-1.jsonl").read_text().splitlines()
    lines[5] = '{"key": "k1", "file": 1, "row": 5}'
    (jsonl_source / "part-1.jsonl").write_text("\n".join(lines))
    result, _ = run(spec_for(jsonl_source), tmp_path)
    assert {name for name, feature in result.features.items() if feature.optional} == {"text"}


def test_counts_that_do_not_add_up_are_refused():
    shard = MergedShard("train", 0, "", "", "", 10, "", "", num_groups=1, num_examples=8)
    with pytest.raises(CorruptError, match="10 examples were read, 8 written and 1 dropped"):
        _reconcile(Tally(10).with_dropped("reason", [(0, 0, "row 1")], 1), [shard])
    assert _reconcile(Tally(10).with_dropped("reason", [(0, 0, "row 1")], 2), [shard]).dropped == {"reason": 2}


def test_a_disk_is_refused_only_where_all_of_the_source_is_kept(jsonl_source):
    assert _least_bytes(make_plan(spec_for(jsonl_source))) == sum(f.stat().st_size for f in jsonl_source.iterdir())
    for changes in (
        {"partitioner": {"kind": "feature", "feature": "key", "missing": "drop"}},
        {"checks": {"max_rejected": 1}},
        {"source": {"kind": "jsonl", "paths": [f"{jsonl_source}/*.jsonl"], "features": ["key"]}},
    ):
        assert _least_bytes(make_plan(spec_for(jsonl_source, **changes))) == 0


def test_staging_is_empty_afterwards(tmp_path, jsonl_source):
    run(spec_for(jsonl_source), tmp_path)
    assert not list((tmp_path / ".staging").iterdir())
