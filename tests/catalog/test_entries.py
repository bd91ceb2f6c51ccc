from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import pytest

from catalog import read_entries
from catalog.entries import BrokenVersion, Place, SplitEntry, VersionEntry
from groupstream import StoreError, UsageError, layout
from groupstream.catalog import describe_published, update_catalog
from groupstream.catalog.changes import add_version, set_alias, set_deleted, set_deprecated
from groupstream.stores import HttpStore, LocalStore
from groupstream.testing import WrappedStore


def test_every_published_version_is_there_in_the_order_of_numbers(store, publish):
    for ref in ("b@2.0.0", "b@10.0.0", "a-1@1.0.0", "b@1.2.0"):
        publish(ref)
    found = read_entries(store)
    assert list(found) == [
        Place("a-1", "1.0.0"), Place("b", "1.2.0"), Place("b", "2.0.0"), Place("b", "10.0.0"),
    ]  # fmt: skip


def test_an_entry_says_what_the_manifest_and_the_claim_say(store, publish):
    publish("news@1.0.0", num_groups=7, day=3)
    assert read_entries(store)[Place("news", "1.0.0")] == VersionEntry(
        version="1.0.0",
        created_at=datetime(2026, 1, 3, 12, tzinfo=UTC),
        description="What news is.",
        license="CC-BY-4.0",
        splits=(SplitEntry("test", 1, 20, 1_000), SplitEntry("train", 7, 140, 7_000)),
        features=(("picture", "png image"), ("text", "string")),
        has_card=True,
    )
    entry = read_entries(store)[Place("news", "1.0.0")]
    assert (entry.num_groups, entry.num_examples, entry.num_bytes) == (8, 160, 8_000)


def test_what_is_not_published_is_not_there(store, publish):
    publish("news@1.0.0")
    store.put_if_absent(f"news/2.0.0/{layout.CLAIM}", b"{}")
    store.put_if_absent(f"{layout.STAGING}/x/{layout.MANIFEST}", b"{}")
    store.put_if_absent("Not a name/1.0.0/x", b"")
    store.put_if_absent("news/newest/x", b"")
    assert list(read_entries(store)) == [Place("news", "1.0.0")]
    assert read_entries(LocalStore(store.root + "/nowhere")) == {}


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[[[", b"[" * 100_000, b"\xff\xfe", b'{"format_version": 99}', b"null"]
)
def test_a_broken_manifest_is_listed_and_stops_nothing(store, publish, content):
    publish("news@1.0.0")
    store.put_if_absent(f"news/2.0.0/{layout.MANIFEST}", content)
    found = read_entries(store)
    assert isinstance(found[Place("news", "1.0.0")], VersionEntry)
    broken = found[Place("news", "2.0.0")]
    assert isinstance(broken, BrokenVersion)
    assert broken.reason
    assert store.root not in broken.reason


@pytest.mark.parametrize("claim", [b"", b"{}", b"[1]", b'{"created_at": 5}', b'{"created_at": "<b>"}', b"\xff", None])
def test_a_claim_that_says_no_time_is_no_trouble(store, publish, claim):
    publish("news@1.0.0", day=None)
    if claim is not None:
        store.put_if_absent(f"news/1.0.0/{layout.CLAIM}", claim)
    assert read_entries(store)[Place("news", "1.0.0")].created_at is None


@pytest.mark.parametrize(
    ("said", "day"), [("2026-01-03T23:30:00-02:00", 4), ("2026-01-03", 3), ("0001-01-01T00:00:00+23:00", None)]
)
def test_times_are_in_utc(store, publish, said, day):
    publish("news@1.0.0", day=None)
    store.put_if_absent(f"news/1.0.0/{layout.CLAIM}", b'{"created_at": "%s"}' % said.encode())
    created_at = read_entries(store)[Place("news", "1.0.0")].created_at
    assert (created_at and created_at.day) == day


def test_a_version_that_is_known_is_not_read_again_but_a_broken_one_is(store, publish):
    publish("news@1.0.0")
    store.put_if_absent(f"news/2.0.0/{layout.MANIFEST}", b"{}")
    first = read_entries(store)
    publish("news@3.0.0")
    read: list[str] = []
    watched = WrappedStore(store, lambda path, offset, data: read.append(path) or data)
    again = read_entries(watched, first)
    assert set(again) == {*first, Place("news", "3.0.0")}
    assert {path.split("/")[1] for path in read} == {"2.0.0", "3.0.0"}
    store.delete(f"news/3.0.0/{layout.MANIFEST}")
    assert set(read_entries(store, first)) == set(first)


def test_a_dataset_that_cannot_be_listed_is_listed_as_such(store, publish):
    publish("news@1.0.0")
    publish("secret@1.0.0")

    class Denying(WrappedStore):
        def folders(self, path: str) -> list[str]:
            if path == "secret":
                raise StoreError("cannot read secret: permission denied")
            return super().folders(path)

    found = read_entries(Denying(store, lambda path, offset, data: data))
    assert isinstance(found[Place("news", "1.0.0")], VersionEntry)
    assert found[Place("secret", "")] == BrokenVersion("", "cannot read secret: permission denied")


def test_a_web_server_is_refused_before_anything_is_asked():
    with pytest.raises(UsageError, match=r"^https://nowhere.example/x is on a web server, .* in a folder, or at gs://"):
        read_entries(HttpStore("https://nowhere.example/x"))


NOW = datetime(2026, 11, 28, 20, tzinfo=UTC)


@pytest.fixture
def cataloged(store, publish):
    """news: 1.0.0 deprecated, 2.0.0 latest and stable, 3.0.0 deleted; 4.0.0 in the folders only. wiki has none."""
    manifests = [publish(f"news@{n}.0.0", day=n, num_groups=n) for n in (1, 2, 3, 4)]
    publish("wiki@1.0.0")

    def change(catalog):
        for manifest in manifests[:3]:
            catalog = add_version(catalog, describe_published(manifest, manifest.to_json(), NOW, None))
        catalog = set_deleted(catalog, "3.0.0", "a licence", NOW)
        return set_deprecated(set_alias(catalog, "stable", "2.0.0", NOW), "1.0.0", "half of it", NOW)

    update_catalog(store, "news", change)
    return store


def test_the_catalog_says_what_may_change_and_the_folders_what_it_lacks(cataloged):
    found = read_entries(cataloged)
    assert {place: (e.aliases, e.is_deprecated, e.message, e.created_at.month) for place, e in found.items()} == {
        Place("news", "1.0.0"): ((), True, "half of it", 11),
        Place("news", "2.0.0"): (("latest", "stable"), False, "", 11),
        Place("news", "4.0.0"): ((), False, "", 1),
        Place("wiki", "1.0.0"): ((), False, "", 1),
    }
    assert list(found) == sorted(found)


def test_the_catalog_and_the_manifest_say_the_same(cataloged):
    before = read_entries(cataloged)[Place("news", "2.0.0")]
    cataloged.delete("news/catalog.json")
    after = read_entries(cataloged)[Place("news", "2.0.0")]
    assert after == dataclasses.replace(before, aliases=(), created_at=datetime(2026, 1, 2, 12, tzinfo=UTC))


def test_what_the_catalog_has_is_read_from_no_manifest_and_always_anew(cataloged):
    first = read_entries(cataloged)
    update_catalog(cataloged, "news", lambda c: set_deprecated(c, "1.0.0", None, NOW))
    read: list[str] = []
    again = read_entries(WrappedStore(cataloged, lambda path, offset, data: read.append(path) or data), first)
    assert read == ["news/catalog.json"]
    assert not again[Place("news", "1.0.0")].is_deprecated
    del read[:]
    read_entries(WrappedStore(cataloged, lambda path, offset, data: read.append(path) or data))
    assert {path.split("/", 1)[1] for path in read} == {"catalog.json", "4.0.0/manifest.json", "4.0.0/claim.json",
                                                        "1.0.0/manifest.json", "1.0.0/claim.json"}  # fmt: skip


def test_a_broken_catalog_is_shown_beside_what_the_folders_say(cataloged):
    cataloged.replace("news/catalog.json", b"{}")
    found = read_entries(cataloged)
    assert found[Place("news", "")].reason.startswith("news/catalog.json is not a catalog: ")
    assert [place.version for place in found if place.name == "news"] == ["", "1.0.0", "2.0.0", "3.0.0", "4.0.0"]


def test_a_version_whose_folder_is_gone_is_said_to_be(cataloged):
    for file in ("claim", "manifest"):
        cataloged.delete(f"news/2.0.0/{file}.json")
    Path(cataloged.root, "news", "2.0.0").rmdir()
    assert read_entries(cataloged)[Place("news", "2.0.0")] == BrokenVersion(
        "2.0.0", "news/2.0.0 is gone, though the catalog has the version. Mend it with: groupstream doctor"
    )
