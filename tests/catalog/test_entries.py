from __future__ import annotations

from datetime import UTC, datetime

import pytest

from catalog import read_entries
from catalog.entries import BrokenVersion, Place, SplitEntry, VersionEntry
from groupstream import StoreError, UsageError, layout
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
