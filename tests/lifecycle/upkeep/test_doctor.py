"""What the doctor finds, and mends."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from groupstream import UsageError
from groupstream.catalog import dataset_names, read_catalog, update_catalog
from groupstream.catalog.changes import set_alias, set_deprecated
from groupstream.stores import HttpStore
from lifecycle.deletion import delete_version
from lifecycle.doctor import examine
from lifecycle.findings import Finding
from lifecycle.folders import version_folder
from lifecycle.registry_problems import registry_problems
from lifecycle.tombstones import Tombstone, read_tombstone, write_tombstone

NOW = datetime.now(UTC)
MODULES = ("doctor", "store_problems", "registry_problems")


def found(findings: list[Finding]) -> list[tuple[str, str, bool]]:
    return [(each.kind, each.ref, each.mended) for each in findings]


def mended(store, registry, *, remains: bool = False, now: datetime | None = None) -> list[str]:
    """What is found and mended; a dry run finds it too and writes nothing, and a second time nothing is found."""
    before = {each.path: store.read(each.path) for each in (*store.objects(""), *store.objects(".pulls"))}
    dry = examine(store, registry, mend=False, now=now)
    assert not any(each.mended for each in dry)
    assert before == {each.path: store.read(each.path) for each in (*store.objects(""), *store.objects(".pulls"))}
    findings = examine(store, registry, by="doctor", now=now)
    assert {each.kind for each in dry} <= {each.kind for each in findings} | {"registry_behind", "dataset_unlisted"}
    if not remains:
        assert all(each.mended for each in findings), findings
        assert examine(store, registry, now=now) == []
    return [each.kind for each in findings]


def test_a_healthy_store_gives_no_findings(publish, store, registry) -> None:
    publish("text@1.0.0", aliases=("stable",))
    publish("news@1.0.0")
    assert examine(store, registry) == []
    assert examine(store, None) == []


def test_a_version_that_nobody_was_told_of_is_announced(publish, store, registry, places, fuse, killed, publish_into):
    publish("text@1.0.0")
    dying, _ = places.dying(fuse(5))  # claim, three files, manifest, then the catalog
    with pytest.raises(killed):
        publish_into(dying, registry, "text@1.1.0", run="dead", aliases=("stable",), at=NOW - timedelta(days=3))
    assert mended(store, registry) == ["version_uncatalogued", "registry_behind", "registry_behind"]
    catalog = read_catalog(store, "text")
    assert catalog.aliases == {"latest": "1.1.0", "stable": "1.1.0"} == registry.aliases(store.root, "text")
    entry = catalog.get("1.1.0")
    assert (entry.run, abs(entry.published_at - (NOW - timedelta(days=3))) < timedelta(seconds=2)) == ("dead", True)
    assert registry.versions("text")[1].run_id == "dead"


@pytest.mark.parametrize(
    "content", [None, b"", b"{", b'{"name": "text"', b'{"name":"text","aliases":{"<b>":"1.0.0"}}', b"[]"]
)
@pytest.mark.parametrize("with_registry", [True, False])
def test_a_catalog_is_made_anew(publish, store, registry, content: bytes | None, with_registry: bool) -> None:
    for minor in range(3):
        publish(f"text@1.{minor}.0", aliases=("stable",) if minor == 0 else ())
    update = update_catalog(store, "text", lambda c: set_deprecated(c, "1.1.0", "use 1.2.0", NOW, "ann"))
    registry.sync_catalog(store.root, update)
    update = update_catalog(store, "text", lambda c: set_alias(c, "best", "1.1.0", NOW, "ann"))
    registry.sync_catalog(store.root, update)
    publish("text@2.0.0")
    delete_version(store, registry, "text", "2.0.0", "wrong", by="bob")
    before = read_catalog(store, "text")
    store.delete("text/catalog.json")
    if content is not None:
        store.put_if_absent("text/catalog.json", content)
    kinds = mended(store, registry if with_registry else None)
    assert kinds[0] == ("catalog_missing" if content is None else "catalog_broken")
    assert "catalog_older" not in kinds  # it counts on from what the registry has seen
    after = read_catalog(store, "text")
    assert after.readable() == before.readable() == ["1.0.0", "1.1.0", "1.2.0"]
    assert after.get("2.0.0").message == "wrong"
    if with_registry:
        assert (after.aliases, after.history) == (before.aliases, before.history)
        assert (after.get("1.1.0").state, after.get("1.1.0").message) == ("deprecated", "use 1.2.0")
        assert [v.published_at for v in after.versions] == [v.published_at for v in before.versions]
        assert after.revision > before.revision
    else:
        assert after.aliases == {"latest": "1.2.0", "stable": "1.0.0"}
    examine(store, registry)
    assert examine(store, registry) == []


def test_a_store_from_before_there_were_catalogs_gets_them(publish, store, registry) -> None:
    for ref in ("text@1.0.0", "text@1.1.0", "news@1.0.0"):
        publish(ref)
    for path in ("catalog.json", "text/catalog.json", "news/catalog.json"):
        store.delete(path)
    assert mended(store, None) == ["catalog_missing", "catalog_missing"]
    assert json.loads(store.read("catalog.json"))["datasets"] == ["news", "text"]
    assert read_catalog(store, "text").aliases == {"latest": "1.1.0"}


def test_an_empty_registry_is_filled_from_the_store(publish, places) -> None:
    store = places.store
    for minor in range(3):
        publish(f"text@1.{minor}.0", aliases=("stable",) if minor == 0 else ())
    update_catalog(store, "text", lambda c: set_deprecated(c, "1.1.0", "use 1.2.0", NOW, "ann"))
    delete_version(store, places.registry, "text", "1.2.0", "wrong", grace=timedelta(0))
    places.new_registry()
    assert set(mended(store, places.registry)) == {"registry_behind"}
    states = {v.version: (v.state, v.message, v.has_manifest) for v in places.registry.versions("text", store.root)}
    assert states == {
        "1.0.0": ("published", "", True),
        "1.1.0": ("deprecated", "use 1.2.0", True),
        "1.2.0": ("deleted", "wrong", False),
    }
    assert places.registry.aliases(store.root, "text") == {"latest": "1.0.0", "stable": "1.0.0"}
    assert len(places.registry.alias_history(store.root, "text")) == len(read_catalog(store, "text").history)


def test_a_deletion_that_stopped_midway_is_finished(publish, store, registry) -> None:
    publish("text@1.0.0")
    publish("text@1.1.0")
    write_tombstone(store, "text/1.1.0", Tombstone(at=NOW, by="ann", reason="wrong", digest=""))
    assert mended(store, registry) == ["deletion_unfinished"]
    assert read_catalog(store, "text").aliases == {"latest": "1.0.0"}
    assert registry.versions("text")[1].state == "deleted"


def test_a_deletion_that_an_alias_forbids_is_withdrawn(publish, store, registry) -> None:
    publish("text@1.0.0", aliases=("stable",))
    publish("text@1.1.0")
    write_tombstone(store, "text/1.0.0", Tombstone(at=NOW, by="ann", reason="wrong", digest=""))
    assert mended(store, registry) == ["deletion_unfinished"]
    assert read_tombstone(store, "text/1.0.0") is None
    assert read_catalog(store, "text").readable() == ["1.0.0", "1.1.0"]


def test_files_of_which_the_manifest_is_removed_go_too(publish, store, registry) -> None:
    publish("text@1.0.0")
    publish("text@1.1.0")
    delete_version(store, registry, "text", "1.0.0", "old")
    store.delete("text/1.0.0/manifest.json")
    assert mended(store, registry) == ["removal_unfinished"]
    assert version_folder(store, "text", "1.0.0").payload == []


def test_a_deleted_version_gets_its_tombstone_back_and_its_grace_anew(publish, store, registry) -> None:
    publish("text@1.0.0")
    publish("text@1.1.0")
    delete_version(store, registry, "text", "1.0.0", "old", by="ann", now=NOW - timedelta(days=30))
    store.delete("text/1.0.0/tombstone.json")
    assert mended(store, registry) == ["tombstone_missing"]
    stone = read_tombstone(store, "text/1.0.0")
    assert (stone.by, stone.reason, stone.at > NOW) == ("ann", "old", True)


def test_a_version_that_is_lost_stays_a_finding_until_it_is_deleted(publish, store, registry) -> None:
    publish("text@1.0.0")
    publish("text@1.1.0")
    shutil.rmtree(Path(store.root) / "text/1.0.0")
    assert found(examine(store, registry)) == [
        ("version_lost", "text@1.0.0", False),
        ("registry_ahead", "text@1.0.0", True),
    ]
    assert found(examine(store, registry)) == [("version_lost", "text@1.0.0", False)]
    assert registry.versions("text")[0].state == "failed"
    delete_version(store, registry, "text", "1.0.0", "lost")
    assert examine(store, registry) == []


def test_a_dataset_that_is_gone_is_told_once(publish, store, registry) -> None:
    publish("text@1.0.0")
    publish("news@1.0.0")
    shutil.rmtree(Path(store.root) / "text")
    findings = examine(store, registry)
    assert ("version_lost", "text@1.0.0", False) in found(findings)
    assert examine(store, registry) == []
    assert registry.versions("text")[0].state == "failed"


def test_a_changed_and_a_broken_manifest_stay_findings(publish, store, registry) -> None:
    publish("text@1.0.0")
    publish("text@1.1.0")
    store.replace("text/1.0.0/manifest.json", store.read("text/1.0.0/manifest.json") + b" ")
    store.put_if_absent("text/1.2.0/manifest.json", b"{}")
    store.put_if_absent("text/1.3.0/manifest.json", store.read("text/1.1.0/manifest.json"))
    kinds = [(each.kind, each.ref) for each in examine(store, registry)]
    broken, changed = "manifest_broken", "manifest_changed"
    assert kinds == [(broken, "text@1.2.0"), (broken, "text@1.3.0"), (changed, "text@1.0.0")]
    assert read_catalog(store, "text").readable() == ["1.0.0", "1.1.0"]


def test_aliases_that_lead_nowhere_are_removed_and_latest_is_led_somewhere(publish, store, registry) -> None:
    publish("text@1.0.0")
    catalog = json.loads(store.read("text/catalog.json"))
    catalog["aliases"] = {"latest": "7.0.0", "stable": "8.0.0"}
    catalog["revision"] += 1
    store.replace("text/catalog.json", json.dumps(catalog).encode())
    assert mended(store, registry) == ["alias_lost", "latest_lost", "registry_behind"]
    assert read_catalog(store, "text").aliases == {"latest": "1.0.0"} == registry.aliases(store.root, "text")


def test_a_catalog_older_than_the_copy_of_the_registry_counts_on_from_there(publish, store, registry) -> None:
    publish("text@1.0.0")
    old = store.read("text/catalog.json")
    for alias in ("stable", "best"):
        changed = update_catalog(store, "text", lambda c, alias=alias: set_alias(c, alias, "1.0.0", NOW))
        registry.sync_catalog(store.root, changed)
    store.replace("text/catalog.json", old)
    assert mended(store, registry) == ["catalog_older", "registry_behind"]
    assert registry.aliases(store.root, "text") == {"latest": "1.0.0"}


def test_what_others_change_while_a_catalog_counts_on_stays(publish, store, registry) -> None:
    publish("text@1.0.0")
    old = store.read("text/catalog.json")
    for alias in ("stable", "best"):
        changed = update_catalog(store, "text", lambda c, alias=alias: set_alias(c, alias, "1.0.0", NOW))
        registry.sync_catalog(store.root, changed)
    store.replace("text/catalog.json", old)
    problem = next(registry_problems(store, registry, "text", NOW))
    assert problem.kind == "catalog_older"
    update_catalog(store, "text", lambda c: set_alias(c, "mine", "1.0.0", NOW))
    problem.mend()
    after = read_catalog(store, "text")
    assert after.aliases == {"latest": "1.0.0", "mine": "1.0.0"}
    assert after.revision > changed.revision


def test_a_catalog_of_a_newer_format_is_left_as_it_is(publish, store, registry) -> None:
    publish("text@1.0.0")
    newer = json.dumps({"format_version": 9, "name": "text"}).encode()
    store.replace("text/catalog.json", newer)
    [finding] = [each for each in examine(store, registry) if not each.mended]
    assert (finding.kind, finding.way_out) == ("catalog_newer", "upgrade with: pip install -U groupstream")
    assert store.read("text/catalog.json") == newer


def test_the_root_catalog_is_mended(publish, store, registry) -> None:
    publish("text@1.0.0")
    publish("news@1.0.0")
    store.replace("catalog.json", b'{"format_version": 1, "datasets": ["text"]}')
    assert mended(store, registry) == ["dataset_unlisted"]
    store.replace("catalog.json", b"[]")
    assert mended(store, registry) == ["root_catalog_broken"]
    assert json.loads(store.read("catalog.json"))["datasets"] == dataset_names(store) == ["news", "text"]


def test_a_build_that_died_is_recorded_as_failed(store, registry, publish_into, places, fuse, killed) -> None:
    dying, _ = places.dying(fuse(3))
    with pytest.raises(killed):
        publish_into(dying, registry, "text@1.0.0", run="dead")
    assert examine(store, registry) == []
    assert examine(store, registry, now=NOW + timedelta(hours=23)) == []
    assert found(examine(store, registry, now=NOW + timedelta(hours=30))) == [("run_long", "text", False)]
    registry.finish_run("dead", "failed")
    assert mended(store, registry, now=NOW + timedelta(hours=30)) == ["build_dead"]
    assert registry.versions("text")[0].state == "failed"


def test_a_run_that_does_not_end_is_noted_and_remains_no_fault(store, registry) -> None:
    registry.start_run("r1", store.root, "text", "d")
    [note] = examine(store, registry, now=datetime.now(UTC) + timedelta(hours=30))
    assert (note.kind, note.wrong, note.remains) == ("run_long", "run r1 has been running for 30 hours", False)


def test_pulls_go_from_the_store_into_the_registry(publish, store, registry) -> None:
    publish("text@1.0.0")
    at = NOW - timedelta(hours=1)
    pull = {"at": at.isoformat(), "by": "ann", "splits": ["train"], "bytes": 5}
    store.put_if_absent(".pulls/text/1.0.0/7f.json", json.dumps(pull).encode())
    store.put_if_absent(".pulls/text/1.0.0/80.json", b'{"at": "0001-01-01T00:00:00+12:00"}')
    store.put_if_absent(".pulls/x", b"[" * 100_000)
    store.put_if_absent(".pulls/text/1.0.0/81.json", b"[" * 100_000)
    assert mended(store, registry) == ["pulls_waiting", "pull_broken", "pull_broken", "pull_broken"]
    [record] = registry.pulls(store.root, "text")
    assert (record.id, record.version, record.at, record.by, record.num_bytes) == ("7f", "1.0.0", at, "ann", 5)
    assert list(store.objects(".pulls")) == []
    assert registry.last_used(store.root, "text") == {"1.0.0": at}


def test_another_build_under_a_number_of_the_registry_stays_a_finding(publish, places, publish_into) -> None:
    publish("text@1.0.0")
    store = places.store
    manifest, catalog = (store.read(f"text/{path}") for path in ("1.0.0/manifest.json", "catalog.json"))
    shutil.rmtree(Path(store.root) / "text")
    digest = json.loads(manifest)["digest"]
    store.put_if_absent("text/catalog.json", catalog.replace(digest.encode(), b"f" * 64))
    store.put_if_absent("text/1.0.0/manifest.json", manifest)
    findings = [each for each in examine(store, places.registry) if each.remains]
    assert [(each.kind, each.ref) for each in findings] == [("registry_conflict", "text@1.0.0")]


def test_what_cannot_be_mended_is_told_and_the_next_dataset_comes(publish, store, registry) -> None:
    publish("text@1.0.0")
    publish("text@1.1.0")
    publish("words@1.0.0")
    store.put_if_absent("text/1.0.0/tombstone.json", b"{}")
    store.delete("words/catalog.json")
    first, second = examine(store, None)
    assert "is not a tombstone" in first.wrong
    assert (first.remains, second.kind, second.mended) == (True, "catalog_missing", True)


def test_a_web_server_is_refused() -> None:
    with pytest.raises(UsageError, match="is a web server, which is only read"):
        examine(HttpStore("http://localhost:1/x"), None)


def test_the_page_has_every_kind_of_finding() -> None:
    repository = Path(__file__).parents[3]
    code = "".join((repository / f"lifecycle/{name}.py").read_text() for name in MODULES)
    kinds = set(re.findall(r'(?:Problem\(\s*|kind, wrong = \(|else \()"(\w+)"', code))
    page = (repository / "docs/doctor.md").read_text()
    assert kinds == set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
