"""Versions are deleted in the safe order, whatever dies in between."""

from __future__ import annotations

import json
import shutil
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import groupstream
from groupstream import CorruptError, GroupstreamError, RefNotFoundError, UsageError
from groupstream.catalog import read_catalog, update_catalog
from groupstream.catalog.changes import set_alias
from groupstream.stores import LocalStore
from lifecycle.deletion import abandon_version, delete_version, plan_deletion
from lifecycle.doctor import examine
from lifecycle.folders import version_folder
from lifecycle.tombstones import Tombstone, read_tombstone, write_tombstone

GOLDEN = Path(__file__).parents[2] / "golden" / "v1"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
NEVER, AT_ONCE = timedelta(days=10**4), timedelta(0)


def files_of(store: LocalStore, folder: str) -> list[str]:
    return sorted(each.path.removeprefix(f"{folder}/") for each in store.objects(folder))


def test_a_deleted_version_is_marked_and_its_files_stay_for_the_grace(publish, store, registry) -> None:
    publish("text@1.0.0")
    publish("text@1.1.0")
    done = delete_version(store, registry, "text", "1.1.0", "wrong labels", by="ann", now=NOW)
    assert (done.freed_bytes, done.files_go_at) == (0, NOW + timedelta(hours=24))
    catalog = read_catalog(store, "text")
    assert catalog.readable() == ["1.0.0"]
    assert catalog.aliases == {"latest": "1.0.0"}
    entry = catalog.get("1.1.0")
    assert (entry.state, entry.message, entry.changed_by, entry.changed_at) == ("deleted", "wrong labels", "ann", NOW)
    assert read_tombstone(store, "text/1.1.0").reason == "wrong labels"
    assert "manifest.json" in files_of(store, "text/1.1.0")
    assert [(v.version, v.state) for v in registry.versions("text")] == [("1.0.0", "published"), ("1.1.0", "deleted")]
    assert registry.aliases(store.root, "text") == {"latest": "1.0.0"}


def test_after_the_grace_the_same_call_removes_the_files(publish, store, registry) -> None:
    publish("text@1.0.0")
    publish("text@1.1.0")
    delete_version(store, registry, "text", "1.0.0", "old", by="ann", now=NOW)
    again = delete_version(store, registry, "text", "1.0.0", "again", by="bob", now=NOW + timedelta(hours=24))
    assert again.freed_bytes == again.num_bytes > 0
    assert (again.tombstone.by, again.tombstone.reason) == ("ann", "old")
    assert files_of(store, "text/1.0.0") == ["claim.json", "tombstone.json"]
    assert delete_version(store, registry, "text", "1.0.0", "x", now=NOW + timedelta(days=3)).freed_bytes == 0


def test_the_manifest_goes_first(publish, store, registry, places, fuse, killed) -> None:
    publish("text@1.0.0")
    publish("text@1.1.0")
    delete_version(store, registry, "text", "1.0.0", "old", now=NOW)
    dying, _ = places.dying(fuse(1, after=True))  # the swap of the catalog changes nothing, so the first is a removal
    with pytest.raises(killed):
        delete_version(dying, None, "text", "1.0.0", "old", now=NOW + timedelta(days=2))
    assert "manifest.json" not in files_of(store, "text/1.0.0")
    assert "README.md" in files_of(store, "text/1.0.0")


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", range(9))
def test_a_deletion_that_dies_is_finished_by_doing_it_again(
    publish, store, registry, places, fuse, killed, step: int, after: bool
) -> None:
    publish("text@1.0.0")
    publish("text@1.1.0")
    dying_store, dying_registry = places.dying(fuse(step, after=after))
    try:
        delete_version(dying_store, dying_registry, "text", "1.1.0", "old", grace=AT_ONCE)
    except killed:
        delete_version(store, registry, "text", "1.1.0", "old", grace=AT_ONCE)
    else:
        assert step > 6, "a step of the deletion that the fuse does not reach"
    assert files_of(store, "text/1.1.0") == ["claim.json", "tombstone.json"]
    assert read_catalog(store, "text").readable() == ["1.0.0"]
    assert registry.versions("text")[1].state == "deleted"
    assert examine(store, registry) == []


def test_a_version_with_an_alias_is_not_deleted(publish, store, registry) -> None:
    publish("text@1.0.0", aliases=("stable",))
    publish("text@1.1.0")
    with pytest.raises(UsageError, match=r"text@1.0.0 has the alias stable; .*groupstream untag text stable"):
        delete_version(store, registry, "text", "1.0.0", "old")
    assert read_tombstone(store, "text/1.0.0") is None
    delete_version(store, registry, "text", "1.1.0", "latest moves")
    assert read_catalog(store, "text").aliases == {"latest": "1.0.0", "stable": "1.0.0"}


def test_an_alias_that_comes_between_tombstone_and_catalog_wins(publish, store, registry, places) -> None:
    publish("text@1.0.0")
    publish("text@1.1.0")

    class Tagging:
        """Somebody tags the version as soon as its tombstone is there."""

        def __getattr__(self, name):
            return getattr(store, name)

        def put_if_absent(self, path, source):
            done = store.put_if_absent(path, source)
            if path.endswith("tombstone.json"):
                update_catalog(store, "text", lambda catalog: set_alias(catalog, "stable", "1.0.0", NOW, "bob"))
            return done

    with pytest.raises(UsageError, match="has the alias stable"):
        delete_version(Tagging(), registry, "text", "1.0.0", "old")
    assert read_tombstone(store, "text/1.0.0") is None
    assert read_catalog(store, "text").readable() == ["1.0.0", "1.1.0"]


def test_the_last_version_is_deleted_only_where_that_is_said(publish, store, registry) -> None:
    publish("text@1.0.0")
    with pytest.raises(UsageError, match=r"the last version of its dataset that can be read.*--last"):
        delete_version(store, registry, "text", "1.0.0", "old")
    delete_version(store, registry, "text", "1.0.0", "old", allow_last=True)
    assert read_catalog(store, "text").aliases == {}


def test_of_two_that_delete_the_last_two_versions_one_is_refused(publish, store, registry) -> None:
    publish("text@1.0.0")
    publish("text@1.1.0")
    start, refused = threading.Barrier(2), []

    def delete(version: str) -> None:
        start.wait()
        try:
            delete_version(LocalStore(store.root), None, "text", version, "old")
        except UsageError:
            refused.append(version)

    threads = [threading.Thread(target=delete, args=(version,)) for version in ("1.0.0", "1.1.0")]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(refused) == 1
    assert read_catalog(store, "text").readable() == refused
    assert examine(store, registry) and examine(store, registry) == []  # the registry was not told


def test_in_a_store_without_a_catalog_all_versions_count(publish, store, registry) -> None:
    publish("text@1.0.0")
    publish("text@1.1.0")
    store.delete("text/catalog.json")
    store.delete("catalog.json")
    delete_version(store, None, "text", "1.1.0", "old")
    assert read_catalog(store, "text").aliases == {"latest": "1.0.0"}


def test_what_newer_code_wrote_is_not_deleted(publish, store, registry) -> None:
    publish("text@1.0.0")
    publish("text@1.1.0")
    manifest = json.loads(store.read("text/1.0.0/manifest.json"))
    store.replace("text/1.0.0/manifest.json", json.dumps({**manifest, "format_version": 9}).encode())
    with pytest.raises(CorruptError, match=r"text@1.0.0 has format 9.*pip install -U groupstream"):
        delete_version(store, registry, "text", "1.0.0", "old")


@pytest.mark.parametrize(
    ("ref", "error", "words"),
    [
        ("text@2.0.0", RefNotFoundError, "not found in .*groupstream ls text"),
        ("text@1.2.0", RefNotFoundError, "is not published: a build writes it, or has died.*groupstream gc text"),
        ("none@1.0.0", RefNotFoundError, "not found in"),
        ("../x@1.0.0", UsageError, "is not a version; write its name and its number"),
        ("text@../1", UsageError, "is not a version"),
    ],
)
def test_what_is_not_there_is_not_deleted(publish, store, registry, ref: str, error, words: str) -> None:
    publish("text@1.0.0")
    store.put_if_absent("text/1.2.0/claim.json", b"{}")
    with pytest.raises(error, match=words):
        delete_version(store, registry, *ref.split("@"), "old")


@pytest.mark.parametrize("reason", ["", "  ", "x" * 1_001])
def test_a_reason_must_be_given(publish, store, registry, reason: str) -> None:
    publish("text@1.0.0")
    with pytest.raises(UsageError, match=r"say in at most 1,000 why text@1.0.0 is deleted"):
        delete_version(store, registry, "text", "1.0.0", reason, allow_last=True)


def test_a_plan_writes_nothing(publish, store, registry) -> None:
    publish("text@1.0.0")
    publish("text@1.1.0")
    before = {each.path: store.read(each.path) for each in store.objects("")}
    planned = plan_deletion(store, "text", "1.0.0", "old", now=NOW, by="ann")
    assert (planned.ref, planned.files_go_at, planned.freed_bytes) == ("text@1.0.0", NOW + timedelta(hours=24), 0)
    assert planned.num_bytes == sum(map(len, (c for p, c in before.items() if "/1.0.0/" in p and "claim" not in p)))
    assert {each.path: store.read(each.path) for each in store.objects("")} == before


def test_who_reads_a_version_reads_on_during_its_grace(tmp_path, registry) -> None:
    shutil.copytree(GOLDEN, tmp_path / "golden")
    name, version = next((v.parent.name, v.name) for v in sorted((tmp_path / "golden").glob("*/*.*.*")))
    store = LocalStore(tmp_path / "golden")
    split = next(iter(groupstream.open(f"{name}@{version}", store.root).values()))
    groups = iter(split)
    seen = [next(groups).num_examples]
    delete_version(store, registry, name, version, "old", allow_last=True)
    seen += [group.num_examples for group in groups]
    assert sum(seen) == split.num_examples


def test_a_publisher_of_a_deleted_number_is_told(publish, store, registry, publish_into) -> None:
    publish("text@1.0.0")
    publish("text@1.1.0")
    delete_version(store, registry, "text", "1.1.0", "old", grace=AT_ONCE)
    with pytest.raises(GroupstreamError, match=r"text@1.1.0.*deleted"):
        publish_into(store, registry, "text@1.1.0", run="later")
    assert read_catalog(store, "text").readable() == ["1.0.0"]


def test_what_a_dead_build_left_goes_and_its_number_stays_taken(store, registry, publish_into, places, fuse, killed):
    dying, _ = places.dying(fuse(3))
    with pytest.raises(killed):
        publish_into(dying, registry, "text@1.0.0")
    folder = version_folder(store, "text", "1.0.0")
    assert folder.payload
    assert not folder.has_manifest
    freed = abandon_version(store, registry, folder, "its build died")
    assert freed == folder.payload_bytes > 0
    assert files_of(store, "text/1.0.0") == ["claim.json", "tombstone.json"]
    assert registry.versions("text")[0].state == "deleted"
    with pytest.raises(GroupstreamError, match="deleted"):
        publish_into(store, registry, "text@1.0.0")
    assert examine(store, registry) == []


def test_a_build_that_goes_on_while_it_is_abandoned_keeps_what_it_publishes(
    store, registry, publish_into, places, fuse, killed
) -> None:
    dying, _ = places.dying(fuse(3))
    with pytest.raises(killed):
        publish_into(dying, registry, "text@1.0.0")
    folder = version_folder(store, "text", "1.0.0")
    publish_into(store, registry, "text@1.0.0")
    assert abandon_version(store, registry, folder, "its build died") == 0
    assert read_tombstone(store, "text/1.0.0") is None
    assert examine(store, registry) == []


def test_a_version_that_is_published_while_it_is_abandoned_stays(store, registry, publish_into, places, fuse, killed):
    dying, _ = places.dying(fuse(3))
    with pytest.raises(killed):
        publish_into(dying, registry, "text@1.0.0")

    class Racing:
        """The build goes on as soon as somebody has seen that there is no manifest."""

        def __getattr__(self, name):
            return getattr(store, name)

        def size_bytes(self, path):
            found = store.size_bytes(path)
            if path.endswith("1.0.0/manifest.json") and found is None:
                publish_into(store, registry, "text@1.0.0")
            return found

    assert abandon_version(Racing(), registry, version_folder(store, "text", "1.0.0"), "its build died") == 0
    assert read_catalog(store, "text").readable() == ["1.0.0"]
    assert examine(store, registry) == []


def test_a_deletion_is_taken_back_by_hand_as_the_docs_say(publish, store, registry) -> None:
    publish("text@1.0.0")
    publish("text@1.1.0")
    delete_version(store, registry, "text", "1.0.0", "by mistake")
    catalog = json.loads(store.read("text/catalog.json"))
    entry = next(each for each in catalog["versions"] if each["version"] == "1.0.0")
    del entry["state"], entry["message"], entry["changed_at"], entry["changed_by"]
    catalog["revision"] += 1
    store.replace("text/catalog.json", json.dumps(catalog).encode())
    store.delete("text/1.0.0/tombstone.json")
    examine(store, registry)
    assert read_catalog(store, "text").readable() == ["1.0.0", "1.1.0"]
    assert [each.state for each in registry.versions("text")] == ["published", "published"]
    assert examine(store, registry) == []


def test_a_tombstone_is_written_once_and_one_that_is_none_is_told(store) -> None:
    first = Tombstone(at=NOW, by="ann", reason="old", digest="d")
    assert write_tombstone(store, "text/1.0.0", first) == first
    assert write_tombstone(store, "text/1.0.0", first.model_copy(update={"by": "bob"})) == first
    store.put_if_absent("text/1.1.0/tombstone.json", b"{}")
    with pytest.raises(CorruptError, match=r"text/1.1.0/tombstone.json is not a tombstone.*Remove it"):
        read_tombstone(store, "text/1.1.0")
