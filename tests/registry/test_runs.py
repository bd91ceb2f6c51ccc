from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from groupstream.manifest import CheckResult, Manifest
from registry import Registry, RegistryError


def test_started_run_is_running(registry: Registry):
    registry.start_run("r1", "/data/", "fedwiki", "d1", "p1", prefect_url="http://p/1")
    (run,) = registry.runs()
    assert (run.id, run.dataset, run.digest, run.state) == ("r1", "fedwiki", "d1", "running")
    assert (run.prefect_flow_run_id, run.version, run.error, run.ended_at) == ("p1", None, None, None)
    assert (run.root, run.kind, run.prefect_url) == ("/data", "build", "http://p/1")
    assert (run.spec, run.source, run.code, run.stage_seconds) == (None, None, None, {})
    assert abs(datetime.now(UTC) - run.started_at) < timedelta(minutes=1)


@pytest.mark.parametrize("state", ["published", "unchanged", "completed", "failed", "crashed", "cancelled"])
def test_finished_run_has_its_outcome(registry: Registry, state: str):
    registry.start_run("r1", "/data", "fedwiki", "d1")
    registry.finish_run("r1", state, version="1.0.0", stage_seconds={"publish": 0.5})
    (run,) = registry.runs()
    assert (run.state, run.version, run.stage_seconds) == (state, "1.0.0", {"publish": 0.5})
    assert run.ended_at >= run.started_at


def test_run_tried_again_is_running_since_its_first_start(registry: Registry):
    registry.start_run("r1", "/data", "fedwiki", "d1")
    (first,) = registry.runs()
    registry.finish_run("r1", "failed", error="boom")
    registry.start_run("r1", "/data", "fedwiki", "d2")
    (again,) = registry.runs()
    assert (again.state, again.error, again.ended_at) == ("running", None, None)
    assert (again.digest, again.started_at) == ("d2", first.started_at)


def test_run_that_said_how_it_ended_is_ended_by_nobody_else(registry: Registry):
    for run in ("r1", "r2"):
        registry.start_run(run, "/data", "fedwiki", "d1")
    registry.start_run("r3", "/elsewhere", "fedwiki", "d1")
    registry.finish_run("r1", "published", version="1.0.0")
    assert [run.id for run in registry.running("/data")] == ["r2"]
    assert registry.end_running("r2", "crashed", "killed")
    assert not registry.end_running("r2", "failed", "again") and not registry.end_running("r1", "failed", "late")
    assert [(run.state, run.error) for run in map(registry.run, ("r1", "r2"))] == [
        ("published", None),
        ("crashed", "killed"),
    ]
    assert registry.running("/data") == []
    with pytest.raises(RegistryError, match="run 'r9' is not in registry"):
        registry.end_running("r9", "failed", "")


def test_run_keeps_what_it_was_asked_and_of_what_code(registry: Registry):
    asked = {"spec": {"round": 1}, "source": {"kind": "jsonl"}, "code": {"groupstream": "0.1.0"}}
    registry.start_run("r1", "/data", "fedwiki", "d1", kind="train", **asked)
    (run,) = registry.runs()
    assert (registry.run("r1"), registry.run("r2")) == (run, None)
    assert (run.kind, run.spec, run.source, run.code) == ("train", *asked.values())


def test_run_that_was_not_started_cannot_finish(registry: Registry):
    with pytest.raises(RegistryError, match=r"run 'r9' is not in registry .*start_run"):
        registry.finish_run("r9", "failed")


def test_checks_of_a_run_are_kept_with_its_report_until_it_is_tried_again(registry: Registry):
    registry.start_run("r1", "/data", "fedwiki", "d1")
    result = CheckResult(kind="groups", name="a", limit="1", observed="2", passed=False, offenders=("x\x00",))
    registry.record_checks("r1", [result], "/data/.reports/fedwiki/r1")
    registry.finish_run("r1", "failed", error="boom")
    (run,) = registry.runs()
    assert run.checks == [{**result.model_dump(mode="json"), "offenders": ["x\\x00"]}]
    assert run.report == "/data/.reports/fedwiki/r1"
    registry.start_run("r1", "/data", "fedwiki", "d1")
    (again,) = registry.runs()
    assert (again.checks, again.report) == (None, None)
    with pytest.raises(RegistryError, match="run 'r9' is not in registry"):
        registry.record_checks("r9", [], None)


def test_error_is_stored_up_to_its_limit_and_without_what_no_database_takes(registry: Registry):
    registry.start_run("r1", "/data", "fedwiki", "d1")
    registry.finish_run("r1", "failed", error="\x00\udcff" + "x" * 20_000)
    (run,) = registry.runs()
    assert run.error.startswith("\\x00\\udcffxxx")
    assert len(run.error) == 10_000


def test_runs_are_the_newest_of_a_dataset_newest_first(registry: Registry):
    for index in range(5):
        registry.start_run(f"r{index}", "/data", "odd" if index % 2 else "even", "d")
    assert [run.id for run in registry.runs(limit=3)] == ["r4", "r3", "r2"]
    assert [run.id for run in registry.runs("odd")] == ["r3", "r1"]
    assert registry.runs("none") == registry.runs(root="/elsewhere") == []
    registry.start_run("r5", "/elsewhere", "odd", "d")
    assert [run.id for run in registry.runs("odd", root="/elsewhere/")] == ["r5"]
    assert [run.id for run in registry.runs("odd", limit=2)] == ["r5", "r3"]


def test_runs_and_versions_share_a_dataset(registry: Registry, make_manifest: Callable[..., Manifest]):
    registry.reserve_version(make_manifest(), "/data")
    registry.start_run("r1", "/data", "fedwiki", "d1")
    assert [run.dataset for run in registry.runs("fedwiki")] == ["fedwiki"]
    assert len(registry.versions("fedwiki")) == 1
