from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from groupstream.catalog import AliasMove, DatasetCatalog
from groupstream.catalog.changes import remove_alias, set_alias, set_deleted, set_deprecated
from groupstream.manifest import Manifest
from registry import Registry, RegistryError

MakeManifest = Callable[..., Manifest]
MakeCatalog = Callable[..., DatasetCatalog]
MONDAY = datetime(2024, 1, 1, 12, tzinfo=UTC)
TUESDAY = MONDAY + timedelta(days=1)


def later(catalog: DatasetCatalog, by: int = 1, **fields: Any) -> DatasetCatalog:
    return catalog.model_copy(update={"revision": catalog.revision + by, **fields})


def states_of(registry: Registry) -> list[tuple[str, str, str]]:
    return [(each.version, each.state, each.message) for each in registry.versions()]


def everything(registry: Registry) -> tuple[Any, ...]:
    return registry.datasets(), registry.versions(), registry.alias_history("/data", "fedwiki")


def test_catalog_brings_states_messages_aliases_and_moves(
    registry: Registry, make_manifest: MakeManifest, make_catalog: MakeCatalog
):
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        registry.record_published(make_manifest(version), "/data", MONDAY)
    catalog = set_deprecated(make_catalog("1.0.0", "1.1.0", "1.2.0"), "1.0.0", "wrong labels")
    catalog = set_alias(catalog, "stable", "1.1.0", TUESDAY, "ann")
    catalog = remove_alias(set_alias(catalog, "old", "1.0.0", TUESDAY, "bob"), "old", TUESDAY, "bob")
    catalog = later(set_deleted(catalog, "1.2.0", "by request", TUESDAY, "ann"))
    registry.sync_catalog("/data", catalog)
    assert states_of(registry) == [
        ("1.0.0", "deprecated", "wrong labels"),
        ("1.1.0", "published", ""),
        ("1.2.0", "deleted", "by request"),
    ]
    assert registry.aliases("/data/", "fedwiki") == {"latest": "1.1.0", "stable": "1.1.0"}
    (dataset,) = registry.datasets("/data/")
    assert (dataset.name, dataset.root, dataset.catalog_revision) == ("fedwiki", "/data", 4)
    assert dataset.aliases == registry.aliases("/data", "fedwiki")
    moves = [(m.alias, m.version, m.by) for m in registry.alias_history("/data", "fedwiki")]
    assert moves[:3] == [("latest", version, "me") for version in ("1.0.0", "1.1.0", "1.2.0")]
    assert moves[3:] == [
        ("stable", "1.1.0", "ann"),
        ("old", "1.0.0", "bob"),
        ("old", None, "bob"),
        ("latest", "1.1.0", "ann"),
    ]
    assert registry.alias_history("/data", "fedwiki")[-1].at == TUESDAY


def test_what_is_not_known_has_no_aliases(registry: Registry, make_catalog: MakeCatalog):
    registry.sync_catalog("/data", make_catalog("1.0.0"))
    assert registry.aliases("/elsewhere", "fedwiki") == registry.aliases("/data", "none") == {}
    assert registry.alias_history("/elsewhere", "fedwiki") == registry.datasets("/elsewhere") == []


def test_copying_again_changes_nothing(registry: Registry, make_catalog: MakeCatalog):
    catalog = set_deprecated(make_catalog("1.0.0", "1.1.0"), "1.0.0", "old")
    registry.sync_catalog("/data", catalog)
    before = everything(registry)
    registry.sync_catalog("/data", catalog)
    assert everything(registry) == before


def test_older_catalog_changes_nothing(registry: Registry, make_catalog: MakeCatalog):
    older = make_catalog("1.0.0", "1.1.0")
    registry.sync_catalog("/data", later(set_alias(older, "latest", "1.0.0", TUESDAY)))
    before = everything(registry)
    registry.sync_catalog("/data", older)
    assert everything(registry) == before
    assert registry.aliases("/data", "fedwiki") == {"latest": "1.0.0"}


def test_moves_that_the_store_has_cut_stay(registry: Registry, make_catalog: MakeCatalog):
    catalog = make_catalog("1.0.0", "1.1.0")
    registry.sync_catalog("/data", catalog)
    move = AliasMove(alias="latest", version="1.0.0", at=TUESDAY, by="ann")
    registry.sync_catalog("/data", later(catalog, history=(move,), aliases={"latest": "1.0.0"}))
    moves = [move.version for move in registry.alias_history("/data", "fedwiki")]
    assert moves == ["1.0.0", "1.1.0", "1.0.0"]


def test_version_that_only_the_catalog_knows_gets_its_figures_until_the_manifest_is_recorded(
    registry: Registry, make_manifest: MakeManifest, make_catalog: MakeCatalog
):
    registry.sync_catalog("/data", make_catalog("1.0.0"))
    (record,) = registry.versions()
    assert (record.state, record.has_manifest, record.published_at, record.run_id) == ("published", False, MONDAY, "r1")
    assert (record.num_groups, record.num_examples, record.num_bytes, record.num_shards) == (8, 16, 6 << 40, 0)
    assert (record.location, record.spec, record.checks) == ("/data/fedwiki/1.0.0", {}, [])
    registry.record_published(make_manifest(), "/data", TUESDAY)
    (record,) = registry.versions()
    assert (record.state, record.has_manifest, record.published_at, record.run_id) == ("published", True, MONDAY, "r1")
    assert (record.num_shards, record.spec) == (3, {"name": "fedwiki"})


def test_published_build_takes_the_row_that_another_one_reserved(
    registry: Registry, make_manifest: MakeManifest, make_catalog: MakeCatalog
):
    registry.reserve_version(make_manifest(digest="b" * 64, spec={"lost": True}), "/data", "r9")
    registry.sync_catalog("/data", make_catalog("1.0.0"))
    (record,) = registry.versions()
    assert (record.digest, record.state, record.run_id, record.spec) == ("a" * 64, "published", "r1", {})


def test_catalog_of_another_build_than_the_published_one_is_refused(
    registry: Registry, make_manifest: MakeManifest, make_catalog: MakeCatalog
):
    registry.record_published(make_manifest(digest="b" * 64), "/data", MONDAY)
    before = everything(registry)
    with pytest.raises(
        RegistryError, match=r"fedwiki@1\.0\.0 is published .*b{12}, and a{12} in the catalog of '/data'"
    ):
        registry.sync_catalog("/data", make_catalog("0.9.0", "1.0.0"))
    assert everything(registry) == before


def test_alias_that_leads_nowhere_is_refused(registry: Registry, make_catalog: MakeCatalog):
    catalog = make_catalog("1.0.0").model_copy(update={"aliases": {"stable": "9.0.0"}})
    with pytest.raises(
        RegistryError, match=r"catalog of fedwiki in '/data' leads 'stable' to '9\.0\.0', which .* doctor"
    ):
        registry.sync_catalog("/data", catalog)
    assert registry.versions() == registry.datasets() == []


def test_who_changed_a_state_and_when_is_as_the_catalog_says(registry: Registry, make_catalog: MakeCatalog):
    registry.sync_catalog("/data", set_deprecated(make_catalog("1.0.0"), "1.0.0", "old", TUESDAY, "ann"))
    (record,) = registry.versions()
    assert (record.changed_at, record.changed_by) == (TUESDAY, "ann")
