"""What happened to a dataset, from its catalog, its registry, or the claims of its versions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from groupstream import RefNotFoundError
from groupstream.catalog import changes, update_catalog
from groupstream.stores import LocalStore
from lifecycle.announcing import announce
from lifecycle.history import history_of

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def at(hours):
    return NOW + timedelta(hours=hours)


@pytest.fixture
def news(tmp_path, put_version):
    """news@1.0.0 is published and tagged, 2.0.0 too, the alias moves; 1.0.0 is deprecated, then deleted."""
    store = LocalStore(tmp_path / "root")
    announce(store, None, *put_version(store, "news@1.0.0"), run="r1", published_at=at(0), by="ann")
    announce(store, None, *put_version(store, "news@2.0.0"), run="r2", published_at=at(2), by="ann")
    for change in (
        lambda c: changes.set_alias(c, "stable", "1.0.0", at(1), "bob"),
        lambda c: changes.set_alias(c, "stable", "2.0.0", at(3), "bob"),
        lambda c: changes.remove_alias(c, "stable", at(4), "cleo"),
        lambda c: changes.set_deprecated(c, "2.0.0", "half", at(5), "cleo"),
        lambda c: changes.set_deleted(c, "1.0.0", "licence", at(6), "dora"),
    ):
        update_catalog(store, "news", change)
    return store


WANTED = [
    (6, "deleted", "1.0.0", None, None, "dora", None, "licence"),
    (5, "deprecated", "2.0.0", None, None, "cleo", None, "half"),
    (4, "alias", None, "stable", "2.0.0", "cleo", None, ""),
    (3, "alias", "2.0.0", "stable", "1.0.0", "bob", None, ""),
    (2, "alias", "2.0.0", "latest", "1.0.0", "ann", None, ""),
    (2, "published", "2.0.0", None, None, "", "r2", ""),
    (1, "alias", "1.0.0", "stable", None, "bob", None, ""),
    (0, "alias", "1.0.0", "latest", None, "ann", None, ""),
    (0, "published", "1.0.0", None, None, "", "r1", ""),
]


def shown(events):
    return [
        ((e.at - NOW) / timedelta(hours=1), e.kind, e.version, e.alias, e.before, e.by, e.run, e.message)
        for e in events
    ]


def test_it_is_told_newest_first(news):
    assert shown(history_of(news, None, "news")) == WANTED


def test_the_registry_tells_the_same_once(news, registry):
    registry.sync_catalog(news.root, update_catalog(news, "news", lambda catalog: catalog))
    assert shown(history_of(news, registry, "news")) == WANTED


def test_the_registry_has_moves_that_the_catalog_is_too_short_for(news, registry):
    catalog = update_catalog(news, "news", lambda catalog: catalog)
    registry.sync_catalog(news.root, catalog)
    update_catalog(news, "news", lambda catalog: catalog.model_copy(update={"history": catalog.history[-1:]}))
    assert shown(history_of(news, registry, "news")) == WANTED
    without = [kind for _, kind, *_ in shown(history_of(news, None, "news"))]
    assert without.count("alias") == 1 and shown(history_of(news, None, "news"))[2][4] is None


def test_a_deprecation_that_was_taken_back_is_told(news):
    update_catalog(news, "news", lambda c: changes.set_deprecated(c, "2.0.0", None, at(7), "eve"))
    assert shown(history_of(news, None, "news"))[0] == (7, "restored", "2.0.0", None, None, "eve", None, "")


def test_without_a_catalog_the_claims_tell_when_versions_were_published(put_version, store):
    put_version(store, "news@1.0.0", claim={"run": "r1", "created_at": NOW.isoformat()})
    put_version(store, "news@2.0.0", claim={"run": "r2", "created_at": at(1).isoformat()})
    assert [(e.version, e.run, e.at) for e in history_of(store, None, "news")] == [
        ("2.0.0", "r2", at(1)),
        ("1.0.0", "r1", NOW),
    ]


def test_asking_writes_nothing(news, everything):
    before = everything()
    history_of(news, None, "news")
    assert everything() == before


@pytest.mark.parametrize("name", ["nevvs", "../root/news", "", "news/1.0.0", "\x1b[31m"])
def test_a_dataset_that_is_not_there_is_refused(news, registry, name):
    with pytest.raises(RefNotFoundError, match="no dataset"):
        history_of(news, registry, name)
