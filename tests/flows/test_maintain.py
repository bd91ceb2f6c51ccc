"""The flow that keeps a store in order, with a real Prefect server."""

from __future__ import annotations

import json
import shutil
import tempfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from groupstream import CorruptError
from groupstream.catalog import read_catalog, update_catalog
from groupstream.catalog.changes import set_deprecated
from groupstream.manifest import Manifest
from groupstream.stores import LocalStore
from lifecycle.retention import RetentionPolicy
from pipelines.resuming import FinishedStages
from pipelines.staging import staging_area
from registry import Registry, default_registry_url
from tests.prefect_api import post

pytestmark = pytest.mark.integration

GOLDEN = Path(__file__).parents[1] / "golden" / "v1"
POLICY = RetentionPolicy(keep_last=1, keep_newer_than_days=0, keep_used_days=0, grace_hours=0)


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where builds of other tests leave nothing to sweep."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))


@pytest.fixture
def store(root: Path) -> LocalStore:
    """Two versions of one dataset, copied there by hand: no catalog knows them."""
    golden = next(path.parent for path in sorted(GOLDEN.glob("*/*/manifest.json")))
    manifest = (golden / "manifest.json").read_text()
    name, version = json.loads(manifest)["name"], json.loads(manifest)["version"]
    shutil.copytree(golden, root / name / version)
    store = LocalStore(root)
    newer = Manifest.from_json(manifest.encode(), "golden").model_copy(update={"version": "9.0.0"})
    shutil.copytree(golden, root / name / "9.0.0", ignore=shutil.ignore_patterns("manifest.json"))
    store.put_if_absent(f"{name}/9.0.0/manifest.json", newer.to_json())
    return store


def maintain(store: LocalStore, **options):
    from flows.maintain import maintain

    return maintain(store.root, POLICY, return_state=True, **options)


def artifacts_of(server: str, state) -> dict[str, dict]:
    asked = {"artifacts": {"flow_run_id": {"any_": [str(state.state_details.flow_run_id)]}}}
    found = post(server, "artifacts/filter", asked)
    return {artifact["key"]: artifact for artifact in found if artifact["key"]}


def rows_of(artifact: dict) -> list[dict]:
    data = artifact["data"]
    return json.loads(data) if isinstance(data, str) else data


def test_maintenance_mends_plans_and_reads_and_deletes_only_when_told(with_server, store) -> None:
    [name] = store.folders("")
    first, last = sorted(store.folders(name))
    state = maintain(store)
    assert state.is_completed(), state.message
    result = state.result()
    assert next((each.kind, each.mended) for each in result.findings) == ("catalog_missing", True)
    assert (result.planned, result.freed_bytes) == ([f"{name}@{first}"], 0)
    assert sorted(result.verified) == [f"{name}@{first}", f"{name}@{last}"]
    assert read_catalog(store, name).readable() == [first, last]
    assert (Path(store.root) / "catalog.html").exists()
    shown = artifacts_of(with_server, state)
    assert set(shown) == {"maintain-findings", "maintain-collection", "maintain-verified"}
    assert shown["maintain-collection"]["description"].endswith("; dry run")
    assert [row["of"] for row in rows_of(shown["maintain-collection"])] == [f"{name}@{first}"]
    assert {row["result"] for row in rows_of(shown["maintain-verified"])} == {"passed"}

    update_catalog(store, name, lambda c: set_deprecated(c, first, "old", datetime.now(UTC) - timedelta(days=1)))
    deleting = maintain(store, delete=True)
    assert deleting.is_completed(), deleting.message
    assert deleting.result().freed_bytes > 0
    assert read_catalog(store, name).readable() == [last]


def test_maintenance_fails_where_something_remains(with_server, store) -> None:
    [name] = store.folders("")
    maintain(store, verify_versions=0)
    last = sorted(store.folders(name))[-1]
    shard = next(file for file in (Path(store.root) / name / last).glob("*.tfrecord"))
    shard.chmod(0o644)
    shard.write_bytes(shard.read_bytes()[:-1] + b"\x00")
    state = maintain(store)
    assert state.is_failed()
    with pytest.raises(CorruptError, match=rf"1 things remain to be done.*{name}@{last} is not as it was written"):
        state.result()
    assert "REMAINS" not in str(artifacts_of(with_server, state)["maintain-findings"]["data"])
    assert "FAILED" in str(artifacts_of(with_server, state)["maintain-verified"]["data"])


def test_maintenance_fails_where_the_doctor_cannot_mend(with_server, store) -> None:
    [name] = store.folders("")
    maintain(store, verify_versions=0)
    first = sorted(store.folders(name))[0]
    shutil.rmtree(Path(store.root) / name / first)
    state = maintain(store, verify_versions=0)
    assert state.is_failed()
    assert f"{name}@{first} is in the catalog, and has no manifest in the store" in state.message
    assert "REMAINS" in str(artifacts_of(with_server, state)["maintain-findings"]["data"])


def test_maintenance_records_how_runs_ended_that_could_not_say_it(with_server, store) -> None:
    [name] = store.folders("")
    ids = {wanted: run_in_state(with_server, wanted) for wanted in ("CRASHED", "CANCELLED", "FAILED", "RUNNING")}
    ids["UNKNOWN"] = "0190c0de-0000-7000-8000-000000000000"  # of another server
    with closing(Registry(default_registry_url(store.root))) as registry:
        for run in ids.values():
            registry.start_run(run, store.root, name, "d", run)
        state = maintain(store, verify_versions=0)
        assert state.is_completed(), state.message
        outcomes = {wanted: registry.run(run).state for wanted, run in ids.items()}
        assert outcomes == {key: key.lower() for key in ids} | {"UNKNOWN": "running"}
        assert registry.run(ids["CRASHED"]).error == "Prefect says Crashed: as the test says"
    assert set(state.result().ended_runs) == {ids[key] for key in ("CRASHED", "CANCELLED", "FAILED")}
    rows = rows_of(artifacts_of(with_server, state)["maintain-ended-runs"])
    assert sorted(row["state"] for row in rows) == ["cancelled", "crashed", "failed"]


def run_in_state(server: str, state: str) -> str:
    """A run that Prefect knows, in this state."""
    flow = post(server, "flows/", {"name": "build-dataset"})["id"]
    asked = {"flow_id": flow, "state": {"type": state, "name": state.title(), "message": "as the test says"}}
    return post(server, "flow_runs/", asked)["id"]


def _die_having_finished_a_stage(root: Path) -> Path:
    """What a build that was killed leaves."""
    with staging_area(root, "1" * 64) as staging:
        staging.write("counts.pickle", b"counted")
        FinishedStages(staging, "1" * 64).finish("Count", ["counts.pickle"])
        return Path(shutil.copytree(staging.folder, f"{staging.folder}-dead"))


def test_what_dead_builds_finished_is_swept_when_its_time_is_over(with_server, store, root) -> None:
    dead = _die_having_finished_a_stage(root)
    assert maintain(store).result(raise_on_failure=False).swept == [] and dead.is_dir()
    state = maintain(store, keep_staging_hours=0)
    assert state.result().swept == [str(dead)] and not dead.exists()
    (row,) = rows_of(artifacts_of(with_server, state)["maintain-swept"])
    assert row == {"result": "swept", "what": str(dead)}
