"""Aliases are set, moved and removed: in the store first, then in the registry."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from groupstream import ConflictError, RefNotFoundError, UsageError
from groupstream.catalog import read_catalog, update_catalog
from groupstream.catalog.changes import set_deleted
from groupstream.stores import LocalStore
from lifecycle.announcing import announce
from lifecycle.changing import find_published
from lifecycle.tagging import AliasChange, remove_alias, set_alias


@pytest.fixture
def news(store, registry, put_version):
    """A store with news@1.2.0 and news@2.0.0."""
    for version in ("1.2.0", "2.0.0"):
        announce(store, registry, *put_version(store, f"news@{version}"))
    return store


def tag(store, registry, ref, alias, **options):
    return set_alias(find_published(ref, store.root), registry, alias, **options)


def test_an_alias_is_set_moved_and_removed(news, registry):
    assert tag(news, registry, "news@1.2.0", "stable") == AliasChange("news", "stable", None, "1.2.0")
    assert tag(news, registry, "news@2.0.0", "stable", by="ann") == AliasChange("news", "stable", "1.2.0", "2.0.0")
    assert tag(news, registry, "news@2.0.0", "stable") == AliasChange("news", "stable", "2.0.0", "2.0.0")
    assert registry.aliases(news.root, "news") == {"latest": "2.0.0", "stable": "2.0.0"}
    assert remove_alias(news, registry, "news", "stable") == AliasChange("news", "stable", "2.0.0", None)
    assert remove_alias(news, registry, "news", "stable") == AliasChange("news", "stable", None, None)
    moves = [(m.version, m.by) for m in registry.alias_history(news.root, "news") if m.alias == "stable"]
    assert moves == [("1.2.0", "tester"), ("2.0.0", "ann"), (None, "tester")]


def test_latest_is_taken_back_and_moves_on_with_the_next_number(news, registry, put_version):
    assert tag(news, registry, "news@1.2.0", "latest").before == "2.0.0"
    announce(news, registry, *put_version(news, "news@1.1.0"))
    assert read_catalog(news, "news").aliases == {"latest": "1.2.0"}
    announce(news, registry, *put_version(news, "news@2.0.1"))
    assert registry.aliases(news.root, "news") == {"latest": "2.0.1"}


def test_a_version_that_nobody_was_told_of_is_announced_with_its_alias(store, registry, put_version):
    put_version(store, "news@1.0.0", claim={"run": "r1"})
    assert tag(store, registry, "news@1.0.0", "stable").before is None
    [row] = registry.versions("news", store.root)
    assert (row.state, row.run_id, row.has_manifest) == ("published", "r1", True)
    assert read_catalog(store, "news").aliases == {"latest": "1.0.0", "stable": "1.0.0"}


def test_a_dry_run_says_the_same_and_writes_nothing(news, registry, put_version, everything):
    put_version(news, "news@3.0.0")
    before = everything()
    assert tag(news, None, "news@1.2.0", "stable", dry_run=True) == AliasChange("news", "stable", None, "1.2.0")
    assert tag(news, None, "news@1.2.0", "latest", dry_run=True) == AliasChange("news", "latest", "2.0.0", "1.2.0")
    assert tag(news, None, "news@3.0.0", "latest", dry_run=True) == AliasChange("news", "latest", "2.0.0", "3.0.0")
    assert remove_alias(news, None, "news", "stable", dry_run=True).after is None
    assert everything() == before


class Unreachable:
    """A registry whose database goes away."""

    def __getattr__(self, name):
        def fail(*arguments, **named):
            raise ConnectionError(name)

        return fail


def test_what_dies_before_the_registry_is_told_is_mended_by_doing_it_again(news, registry):
    with pytest.raises(ConnectionError):
        tag(news, Unreachable(), "news@1.2.0", "stable")
    assert "stable" not in registry.aliases(news.root, "news"), "the store is the truth, and the registry lags"
    assert tag(news, registry, "news@1.2.0", "stable") == AliasChange("news", "stable", "1.2.0", "1.2.0")
    assert registry.aliases(news.root, "news")["stable"] == "1.2.0"
    with pytest.raises(ConnectionError):
        remove_alias(news, Unreachable(), "news", "stable")
    remove_alias(news, registry, "news", "stable")
    assert "stable" not in registry.aliases(news.root, "news")


class LosesAnAnswer:
    """A store of which one answer to a swap is lost: it is made again, and then finds that it has been made."""

    def __init__(self, store):
        self._store, self.lost = store, 0

    def __getattr__(self, name):
        return getattr(self._store, name)

    def swap(self, path, content, tag):
        done = self._store.swap(path, content, tag)
        if done and not self.lost:
            self.lost += 1
            return False
        return done


def test_where_an_answer_was_lost_it_still_says_what_was_before(news, registry):
    published = find_published("news@1.2.0", news.root)
    tag(news, registry, "news@2.0.0", "stable")
    losing = LosesAnAnswer(news)
    assert set_alias(published._replace(store=losing), registry, "stable").before == "2.0.0"
    assert losing.lost == 1
    assert [m.version for m in read_catalog(news, "news").history if m.alias == "stable"] == ["2.0.0", "1.2.0"]


def test_eight_at_once_set_different_aliases_and_none_is_lost(news, registry):
    def one(i):
        return tag(news, registry, f"news@{'1.2.0' if i % 2 else '2.0.0'}", f"alias{i}")

    with ThreadPoolExecutor(8) as threads:
        assert all(change.before is None for change in threads.map(one, range(8)))
    wanted = {f"alias{i}": "1.2.0" if i % 2 else "2.0.0" for i in range(8)}
    assert read_catalog(news, "news").aliases == {"latest": "2.0.0", **wanted}
    assert registry.aliases(news.root, "news") == {"latest": "2.0.0", **wanted}


@pytest.mark.parametrize("alias", ["", "Stable", "1.0.0", "a/b", "../x", "a" * 65, "stäble", "x\n", "-x"])
def test_nothing_else_can_be_an_alias(put_version, registry, tmp_path, everything, alias):
    store = LocalStore(tmp_path / "root")
    put_version(store, "news@1.0.0")
    before = everything()
    with pytest.raises(UsageError, match="cannot be an alias"):
        tag(store, None, "news@1.0.0", alias)
    assert everything() == before


def test_a_hostile_alias_and_name_are_refused(registry, tmp_path, hostile, put_version):
    store = LocalStore(tmp_path / "root")
    put_version(store, "news@1.0.0")
    with pytest.raises(UsageError):
        tag(store, registry, "news@1.0.0", hostile)
    for name in (hostile, "../root/news", "", "."):
        with pytest.raises(RefNotFoundError):
            remove_alias(store, registry, name, "stable")


def test_a_version_that_is_not_there_is_refused(news, registry):
    with pytest.raises(RefNotFoundError, match=r"newest is 2\.0\.0"):
        tag(news, registry, "news@9.0.0", "stable")


def test_a_deleted_version_cannot_be_tagged(put_version, registry, tmp_path):
    store = LocalStore(tmp_path / "root")
    for version in ("1.0.0", "2.0.0"):
        announce(store, registry, *put_version(store, f"news@{version}"))
    update_catalog(store, "news", lambda c: set_deleted(c, "1.0.0", "wrong", c.versions[0].published_at))
    with pytest.raises((ConflictError, RefNotFoundError), match="deleted"):
        tag(store, registry, f"{store.root}/news/1.0.0", "stable")


def test_latest_is_not_removed_and_nothing_is_made_of_a_name_that_is_not_there(news, registry, everything):
    before = everything()
    with pytest.raises(UsageError, match="there is always a latest"):
        remove_alias(news, registry, "news", "latest")
    with pytest.raises(RefNotFoundError, match="has no aliases"):
        remove_alias(news, registry, "nevvs", "stable")
    assert {k: v for k, v in everything().items() if "registry" not in k} == {
        k: v for k, v in before.items() if "registry" not in k
    }


def test_a_folder_that_is_not_called_as_its_version_has_no_root(put_version, registry, tmp_path):
    put_version(LocalStore(tmp_path / "root"), "news@1.0.0")
    (tmp_path / "root/news/1.0.0").rename(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match=r"not called news/1\.0\.0.*publish"):
        find_published(str(tmp_path / "elsewhere"))
