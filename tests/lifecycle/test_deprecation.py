"""A deprecated version can still be read; who does is told why not to."""

from __future__ import annotations

import pytest

import groupstream
from groupstream import UsageError
from groupstream.catalog import read_catalog
from groupstream.stores import LocalStore
from lifecycle.announcing import announce
from lifecycle.changing import find_published
from lifecycle.deprecation import deprecate


def test_it_is_in_the_catalog_and_in_the_registry_and_is_taken_back(store, registry, put_version):
    announce(store, registry, *put_version(store, "news@1.0.0"))
    published = find_published("news@1.0.0", store.root)
    change = deprecate(published, registry, " half of it is from one site ", by="ann")
    assert change.before.state == "published"
    assert (change.after.state, change.after.message) == ("deprecated", "half of it is from one site")
    assert change.aliases == ["latest"]
    [known] = read_catalog(store, "news").versions
    assert (known.message, known.changed_by) == ("half of it is from one site", "ann")
    [row] = registry.versions("news", store.root)
    assert (row.state, row.message) == ("deprecated", "half of it is from one site")
    back = deprecate(published, registry, None)
    assert (back.before.state, back.after.state, back.after.message) == ("deprecated", "published", "")
    assert [row.state for row in registry.versions()] == ["published"]


@pytest.mark.filterwarnings("ignore")  # which say that it is deprecated
def test_a_deprecated_version_can_be_read(put_version, registry, tmp_path):
    store = LocalStore(tmp_path / "root")
    put_version(store, "news@1.0.0")
    deprecate(find_published("news@1.0.0", store.root), registry, "old")
    assert groupstream.open("news@1.0.0", store.root)["train"].num_groups == 8


def test_again_with_the_same_message_changes_nothing(store, registry, put_version):
    put_version(store, "news@1.0.0")
    published = find_published("news@1.0.0", store.root)
    deprecate(published, registry, "old", by="ann")
    first = read_catalog(store, "news")
    deprecate(published, registry, "old", by="bob")
    assert read_catalog(store, "news") == first
    assert deprecate(published, registry, "older", by="bob").after.changed_by == "bob"


def test_a_version_that_nobody_was_told_of_is_announced_with_it(store, registry, put_version):
    put_version(store, "news@1.0.0", claim={"run": "r1"})
    change = deprecate(find_published("news@1.0.0", store.root), registry, "old")
    assert change.before is None
    [row] = registry.versions("news", store.root)
    assert (row.state, row.run_id, row.has_manifest) == ("deprecated", "r1", True)


def test_a_dry_run_says_the_same_and_writes_nothing(store, put_version, everything):
    put_version(store, "news@1.0.0")
    before = everything()
    change = deprecate(find_published("news@1.0.0", store.root), None, "old", dry_run=True)
    assert (change.after.state, change.after.message) == ("deprecated", "old")
    assert everything() == before


@pytest.mark.parametrize(
    ("message", "words"), [("", "needs a message"), (" \n", "needs a message"), ("x" * 1001, "1,001")]
)
def test_a_message_says_something_and_not_too_much(put_version, registry, tmp_path, message, words):
    store = LocalStore(tmp_path / "root")
    put_version(store, "news@1.0.0")
    with pytest.raises(UsageError, match=words):
        deprecate(find_published("news@1.0.0", store.root), registry, message)
    assert read_catalog(store, "news") is None


def test_a_hostile_message_is_kept_as_it_is_and_does_no_harm(store, registry, put_version, hostile):
    announce(store, registry, *put_version(store, "news@1.0.0"))
    deprecate(find_published("news@1.0.0", store.root), registry, hostile)
    assert read_catalog(store, "news").versions[0].message == hostile.strip()
    [row] = registry.versions()
    assert "DROP TABLE versions" in row.message
