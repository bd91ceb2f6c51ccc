"""A version whose manifest is written becomes known, whoever is first to say so, and however often."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from groupstream import ConflictError
from groupstream.catalog import read_catalog, update_catalog
from groupstream.catalog.changes import set_alias, set_deleted
from groupstream.stores import LocalStore
from lifecycle.announcing import announce, announcing

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_a_version_is_in_the_catalog_and_in_the_registry(store, registry, put_version):
    manifest, content = put_version(store, "news@1.0.0")
    catalog = announce(store, registry, manifest, content, aliases=["candidate"], run="r1", published_at=NOW, by="ann")
    assert catalog == read_catalog(store, "news")
    assert catalog.aliases == {"latest": "1.0.0", "candidate": "1.0.0"}
    [known] = catalog.versions
    assert (known.version, known.run, known.published_at, known.state) == ("1.0.0", "r1", NOW, "published")
    assert {move.by for move in catalog.history} == {"ann"}
    [row] = registry.versions("news", store.root)
    assert (row.state, row.run_id, row.published_at, row.has_manifest) == ("published", "r1", NOW, True)
    assert registry.aliases(store.root, "news") == catalog.aliases


def test_it_may_be_announced_again_and_keeps_the_aliases_it_has(store, registry, put_version):
    first, second = put_version(store, "news@1.0.0"), put_version(store, "news@2.0.0")
    announce(store, registry, *first, aliases=["stable"], published_at=NOW)
    announce(store, registry, *second, published_at=NOW)
    moved = update_catalog(store, "news", lambda catalog: set_alias(catalog, "stable", "2.0.0", NOW))
    assert announce(store, registry, *first, aliases=["stable"], run="another") == moved
    assert moved.aliases == {"latest": "2.0.0", "stable": "2.0.0"}
    assert registry.aliases(store.root, "news") == moved.aliases


def test_without_a_registry_the_store_is_told(store, put_version):
    assert announce(store, None, *put_version(store, "news@1.0.0")).aliases == {"latest": "1.0.0"}


class Unreachable:
    """A registry that fails at the first thing it is told, as one does whose database goes away."""

    def __getattr__(self, name):
        def fail(*arguments, **named):
            raise ConnectionError(name)

        return fail


def test_what_dies_before_the_registry_is_told_is_mended_by_doing_it_again(store, registry, put_version):
    manifest, content = put_version(store, "news@1.0.0")
    with pytest.raises(ConnectionError):
        announce(store, Unreachable(), manifest, content, aliases=["stable"], run="r1", published_at=NOW)
    assert registry.versions() == []
    announce(store, registry, manifest, content)
    [row] = registry.versions()
    assert (row.run_id, row.published_at) == ("r1", NOW), "as the catalog says, not as of now"
    assert registry.aliases(store.root, "news") == {"latest": "1.0.0", "stable": "1.0.0"}


def test_what_dies_before_the_catalog_is_written_is_announced_as_its_claim_says(store, registry, put_version):
    """By somebody who knows nothing of the build: the doctor, or who tags it."""
    claim = {"run": "r7", "aliases": ["candidate"], "created_at": NOW.isoformat()}
    catalog = announce(store, registry, *put_version(store, "news@1.0.0", claim=claim))
    [known] = catalog.versions
    assert (known.run, known.published_at) == ("r7", NOW)
    assert catalog.aliases == {"latest": "1.0.0", "candidate": "1.0.0"}


def test_who_announces_a_dead_build_late_undoes_no_move(store, registry, put_version):
    announce(store, registry, *put_version(store, "news@1.0.0"), aliases=["stable"], published_at=NOW)
    claim = {"aliases": ["candidate", "stable"], "created_at": (NOW - timedelta(hours=1)).isoformat()}
    dead = put_version(store, "news@2.0.0", claim=claim)
    assert announce(store, registry, *dead).aliases == {"latest": "2.0.0", "candidate": "2.0.0", "stable": "1.0.0"}


def test_the_build_itself_leads_its_aliases_to_it_whatever_an_old_claim_of_it_says(store, registry, put_version):
    announce(store, registry, *put_version(store, "news@1.0.0"), aliases=["stable"], published_at=NOW)
    claim = {"aliases": ["stable"], "created_at": (NOW - timedelta(hours=1)).isoformat()}
    again = put_version(store, "news@2.0.0", claim=claim)
    assert announce(store, registry, *again, aliases=["stable"]).aliases == {"latest": "2.0.0", "stable": "2.0.0"}


@pytest.mark.parametrize(
    "claim",
    [
        {"run": 7, "aliases": "stable", "created_at": "yesterday"},
        {"run": ["x"], "aliases": ["../x", 7, "A", "latest"], "created_at": "2026-01-01T00:00:00"},
        {"aliases": {"stable": 1}, "created_at": None},
    ],
)
def test_a_claim_may_say_anything(put_version, tmp_path, claim):
    store = LocalStore(tmp_path / "root")
    catalog = announce(store, None, *put_version(store, "news@1.0.0", claim=claim))
    assert catalog.aliases == {"latest": "1.0.0"}
    assert catalog.versions[0].run is None and catalog.versions[0].published_at.year >= 2026


def test_the_first_catalog_of_a_store_has_all_that_is_there(put_version, tmp_path):
    """So `latest` does not go back where an older number is announced first."""
    store = LocalStore(tmp_path / "root")
    for version in ("1.0.0", "2.0.0", "10.0.0"):
        put_version(store, f"news@{version}", claim={"run": f"r{version}"})
    put_version(store, "news@11.0.0")
    store.put_if_absent("news/11.0.0/tombstone.json", b"{}")
    put_version(store, "news@12.0.0")
    (tmp_path / "root/news/12.0.0/manifest.json").chmod(0o644)
    (tmp_path / "root/news/12.0.0/manifest.json").write_bytes(b"damaged")
    catalog = announce(store, None, *put_version(store, "news@1.0.1"))
    assert [(known.version, known.run) for known in catalog.versions] == [
        *(("1.0.0", "r1.0.0"), ("1.0.1", None), ("2.0.0", "r2.0.0"), ("10.0.0", "r10.0.0"))
    ]
    assert catalog.aliases == {"latest": "10.0.0"}


def test_another_manifest_of_the_same_number_is_refused(store, registry, put_version):
    manifest, content = put_version(store, "news@1.0.0")
    announce(store, registry, manifest, content, run="r1")
    with pytest.raises(ConflictError, match="another manifest, published by run r1"):
        announce(store, registry, manifest, content + b"\n")


def test_a_deleted_version_stays_deleted(store, registry, put_version):
    version = put_version(store, "news@1.0.0")
    announce(store, registry, *version)
    update_catalog(store, "news", lambda catalog: set_deleted(catalog, "1.0.0", "wrong licence", NOW))
    with pytest.raises(ConflictError, match=r"deleted \(wrong licence\)"):
        announce(store, registry, *version)


def test_its_aliases_are_set_where_another_found_the_version_first(store, put_version):
    """The first two of a dataset, announced at once: each adds both."""
    first, second = put_version(store, "news@1.0.0"), put_version(store, "news@2.0.0")
    change = announcing(store, *first, aliases=["stable"])
    announce(store, None, *second)
    assert update_catalog(store, "news", change).aliases == {"latest": "2.0.0", "stable": "1.0.0"}
    moved = update_catalog(store, "news", lambda catalog: set_alias(catalog, "stable", "2.0.0", NOW))
    assert update_catalog(store, "news", change) == moved, "a swap whose answer was lost is made again"


def test_who_comes_second_loses_no_alias_where_the_first_added_both(store, put_version):
    first, second = put_version(store, "news@1.0.0"), put_version(store, "news@2.0.0")
    announce(store, None, *first, aliases=["a"])
    announce(store, None, *second, aliases=["b"])
    catalog = read_catalog(store, "news")
    assert catalog is not None and catalog.aliases == {"latest": "2.0.0", "a": "1.0.0", "b": "2.0.0"}


def test_eight_at_once_lose_none(store, registry, put_version):
    versions = [put_version(store, f"news@{n}.0.0") for n in range(1, 9)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda i: announce(store, registry, *versions[i], aliases=[f"a{i}"]), range(8)))
    catalog = read_catalog(store, "news")
    assert catalog is not None
    assert catalog.aliases == {"latest": "8.0.0", **{f"a{i}": f"{i + 1}.0.0" for i in range(8)}}
    assert registry.aliases(store.root, "news") == catalog.aliases
    assert len(registry.versions("news", store.root)) == 8
