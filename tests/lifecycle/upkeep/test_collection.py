"""What `gc` plans and does."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from groupstream import CorruptError, RefNotFoundError
from groupstream.catalog import read_catalog
from groupstream.stores import LocalStore, open_store
from groupstream.testing import GcsServer
from lifecycle.collection import collect, plan_collection
from lifecycle.deletion import delete_version
from lifecycle.doctor import examine
from lifecycle.retention import RetentionPolicy

NOW = datetime.now(UTC)
LONG_AGO = NOW - timedelta(days=400)
POLICY = RetentionPolicy(keep_last=1)


def age(store: LocalStore, folder: str, days: float) -> None:
    then = time.time() - days * 86_400
    for path in (Path(store.root) / folder).rglob("*"):
        os.utime(path, (then, then))


def paths(store) -> set[str]:
    return {each.path for each in store.objects("")}


def test_versions_that_nothing_keeps_go_after_their_grace(publish, store, registry) -> None:
    for minor in range(3):
        publish(f"text@1.{minor}.0", at=LONG_AGO, aliases=("stable",) if minor == 0 else ())
    plan = plan_collection(store, registry, POLICY)
    assert [(item.kind, item.ref) for item in plan.items] == [("version", "text@1.1.0")]
    assert [kept.ref for kept in plan.kept] == ["text@1.0.0", "text@1.2.0"]
    done = list(collect(store, registry, plan, POLICY, by="gc"))
    assert [(each.freed_bytes, each.error) for each in done] == [(0, None)]
    assert read_catalog(store, "text").get("1.1.0").message.startswith("retention: not among the last 1")
    later = plan_collection(store, registry, POLICY)
    assert (later.items, [item.ref for item in later.waiting]) == ([], ["text@1.1.0"])
    after = plan_collection(store, registry, POLICY, now=NOW + timedelta(days=2))
    assert [(item.kind, item.ref) for item in after.items] == [("deleted version", "text@1.1.0")]
    [freed] = collect(store, registry, after, POLICY)
    assert freed.freed_bytes == after.items[0].num_bytes > 0
    assert {p for p in paths(store) if "1.1.0" in p} == {"text/1.1.0/claim.json", "text/1.1.0/tombstone.json"}
    assert plan_collection(store, registry, POLICY, now=NOW + timedelta(days=2)).items == []
    assert examine(store, registry) == []


def test_without_grace_the_files_go_at_once(publish, store, registry) -> None:
    publish("text@1.0.0", at=LONG_AGO)
    publish("text@1.1.0", at=LONG_AGO)
    policy = RetentionPolicy(keep_last=1, grace_hours=0)
    [freed] = collect(store, registry, plan_collection(store, registry, policy), policy)
    assert freed.freed_bytes == freed.item.num_bytes > 0


def test_what_a_run_or_a_pull_used_stays(publish, store, registry) -> None:
    for minor in range(4):
        publish(f"text@1.{minor}.0", at=LONG_AGO)
    registry.start_run("training", store.root, "text", "d", kind="train")
    registry.record_use("training", store.root, "text", "1.0.0")
    pull = {"at": NOW.isoformat(), "by": "ann", "splits": ["train"], "bytes": 5}
    store.put_if_absent(".pulls/text/1.1.0/7f.json", json.dumps(pull).encode())
    for registered in (registry, None):
        plan = plan_collection(store, registered, POLICY)
        expected = ["text@1.2.0"] if registered else ["text@1.0.0", "text@1.2.0"]
        assert [item.ref for item in plan.items] == expected


def test_versions_that_the_catalog_lacks_are_planned_too(publish, store, registry) -> None:
    for minor in range(3):
        publish(f"text@1.{minor}.0", at=LONG_AGO)
    store.delete("text/catalog.json")
    before = paths(store)
    plan = plan_collection(store, registry, POLICY)
    assert [item.ref for item in plan.items] == ["text@1.0.0", "text@1.1.0"]
    assert paths(store) == before
    assert all(each.error is None for each in collect(store, registry, plan, POLICY))
    assert read_catalog(store, "text").readable() == ["1.2.0"]


def test_an_alias_set_after_the_plan_keeps_its_version(publish, store, registry) -> None:
    from groupstream.catalog import update_catalog
    from groupstream.catalog.changes import set_alias

    for minor in range(3):
        publish(f"text@1.{minor}.0", at=LONG_AGO)
    plan = plan_collection(store, registry, POLICY)
    update_catalog(store, "text", lambda catalog: set_alias(catalog, "stable", "1.0.0", NOW))
    first, second = collect(store, registry, plan, POLICY)
    assert "text@1.0.0 has the alias stable" in first.error
    assert second.error is None
    assert read_catalog(store, "text").readable() == ["1.0.0", "1.2.0"]


def test_a_deletion_that_stopped_midway_is_gone_on_with(publish, store, registry, places, fuse, killed) -> None:
    publish("text@1.0.0")
    publish("text@1.1.0")
    dying, _ = places.dying(fuse(0, after=True))
    long_ago = NOW - timedelta(days=30)
    with pytest.raises(killed):
        delete_version(dying, None, "text", "1.0.0", "old", by="ann", now=long_ago)
    [item] = plan_collection(store, registry, RetentionPolicy()).items
    assert item.why == f"its deletion stopped midway, begun on {long_ago:%Y-%m-%d} by ann: old"
    [done] = collect(store, registry, plan_collection(store, registry, RetentionPolicy()), RetentionPolicy())
    assert (done.error, done.freed_bytes) == (None, 0)  # until now it could be opened: its grace begins
    assert [each.ref for each in plan_collection(store, registry, RetentionPolicy()).waiting] == ["text@1.0.0"]


@pytest.fixture
def unfinished(store, registry, publish_into, places, fuse, killed) -> str:
    """A build that died 2 days ago, after it had written two of three files."""
    dying, _ = places.dying(fuse(3))
    with pytest.raises(killed):
        publish_into(dying, registry, "text@1.0.0", run="dead", at=NOW - timedelta(days=2))
    age(store, "text/1.0.0", days=2)
    return "text@1.0.0"


def test_what_a_dead_build_left_goes(unfinished, store, registry) -> None:
    registry.finish_run("dead", "failed")
    plan = plan_collection(store, registry, POLICY)
    assert [(item.kind, item.ref, len(item.files)) for item in plan.items] == [("unfinished build", unfinished, 2)]
    [done] = collect(store, registry, plan, POLICY)
    assert (done.error, done.freed_bytes) == (None, plan.items[0].num_bytes)
    assert plan_collection(store, registry, POLICY).items == []


def test_a_build_that_runs_or_wrote_lately_is_left_alone(unfinished, store, registry) -> None:
    assert plan_collection(store, registry, POLICY).items == []  # its run is running, as far as the registry knows
    assert len(plan_collection(store, registry, POLICY, now=NOW + timedelta(days=8)).items) == 1
    registry.finish_run("dead", "failed")
    assert plan_collection(store, registry, RetentionPolicy(keep_abandoned_hours=72)).items == []
    store.put_if_absent("text/1.0.0/table", b"more")  # it goes on
    assert plan_collection(store, registry, POLICY).items == []


def test_old_reports_go(publish, store, registry) -> None:
    publish("text@1.0.0")
    for run in ("old", "new"):
        store.put_if_absent(f".reports/text/{run}/report.html", b"report")
        store.put_if_absent(f".reports/text/{run}/quarantine.parquet", b"quarantine")
    age(store, ".reports/text/old", days=31)
    plan = plan_collection(store, registry, POLICY)
    assert [(item.kind, item.ref, item.num_bytes) for item in plan.items] == [("report", ".reports/text/old", 16)]
    list(collect(store, registry, plan, POLICY))
    assert {each.path.split("/")[2] for each in store.objects(".reports")} == {"new"}


def test_old_records_of_pulls_go_though_no_registry_took_them(publish, store) -> None:
    publish("text@1.0.0")
    for days in (1, 400):
        at = (NOW - timedelta(days=days)).isoformat()
        store.put_if_absent(f".pulls/text/1.0.0/{days}.json", json.dumps({"at": at}).encode())
    plan = plan_collection(store, None, POLICY)
    assert [(item.kind, item.ref, len(item.files)) for item in plan.items] == [("pull records", ".pulls/text", 1)]
    list(collect(store, None, plan, POLICY))
    assert [each.path for each in store.objects(".pulls")] == [".pulls/text/1.0.0/1.json"]


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_what_dead_builds_staged_in_a_bucket_goes(monkeypatch) -> None:
    with GcsServer("bucket") as server:  # it says that all was written in 2020
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        store = open_store("gs://bucket/root")
        for path in (".staging/build-7/runs/0", ".staging/build-7/runs/1", ".staging/other/x", "text/x"):
            store.put_if_absent(path, b"x")
        plan = plan_collection(store, None, POLICY)
        assert [(item.kind, item.ref) for item in plan.items] == [("staging area", ".staging/build-7")]
        [done] = collect(store, None, plan, POLICY)
        assert done.freed_bytes == 2
        assert [each.path for each in store.objects(".staging")] == [".staging/other/x"]


def test_one_dataset_is_planned_alone(publish, store, registry) -> None:
    for ref in ("text@1.0.0", "text@1.1.0", "news@1.0.0", "news@1.1.0"):
        publish(ref, at=LONG_AGO)
    assert [item.ref for item in plan_collection(store, registry, POLICY, "news").items] == ["news@1.0.0"]
    with pytest.raises(RefNotFoundError, match=r"no dataset 'none' in .*; there are: news, text"):
        plan_collection(store, registry, POLICY, "none")


def test_nothing_is_planned_from_a_catalog_that_is_none(publish, store, registry) -> None:
    publish("text@1.0.0")
    store.replace("text/catalog.json", b"{")
    with pytest.raises(CorruptError, match="Mend it with: groupstream doctor"):
        plan_collection(store, registry, POLICY)
