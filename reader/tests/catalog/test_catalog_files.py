from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from groupstream import CorruptError, PublishError, UsageError
from groupstream.catalog import dataset_names, ensure_listed, read_catalog, update_catalog
from groupstream.catalog import files as catalog_files
from groupstream.catalog.changes import add_version
from groupstream.layout import CATALOG
from groupstream.stores import HttpStore, LocalStore
from groupstream.testing import FolderServer, WrappedStore


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "root")


def test_each_change_is_a_revision_and_no_change_is_none(store: LocalStore, published: Any) -> None:
    assert read_catalog(store, "text") is None
    first = update_catalog(store, "text", lambda c: add_version(c, published("1.0.0")))
    again = update_catalog(store, "text", lambda c: add_version(c, published("1.0.0")))
    second = update_catalog(store, "text", lambda c: add_version(c, published("2.0.0")))
    assert (first.revision, again.revision, second.revision) == (1, 1, 2)
    assert read_catalog(store, "text") == second


def test_a_catalog_that_is_none_is_not_written_over(store: LocalStore, published: Any) -> None:
    for content in (b"half a cat", b'{"format_version": 2}'):
        store.replace(f"text/{CATALOG}", content)
        with pytest.raises(CorruptError, match=rf"^{store.root}/text/catalog\.json "):
            update_catalog(store, "text", lambda c: add_version(c, published("1.0.0")))
        assert store.read(f"text/{CATALOG}") == content


def test_the_root_names_each_dataset_once(store: LocalStore, published: Any) -> None:
    for name in ("b", "a", "b"):
        update_catalog(store, name, lambda c: add_version(c, published("1.0.0")))
    assert store.read(CATALOG) == b'{\n "datasets": [\n  "a",\n  "b"\n ],\n "format_version": 1\n}\n'


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"datasets": 1, "format_version": 1}', b'{"format_version": 2, "datasets": []}']
)
def test_a_root_that_is_not_understood_is_not_written_over(store: LocalStore, content: bytes) -> None:
    store.replace(CATALOG, content)
    with pytest.raises(CorruptError, match=rf"^{store.root}/catalog\.json (is not a catalog|has format 2)"):
        ensure_listed(store, "text")
    assert store.read(CATALOG) == content


def test_who_never_wins_gives_up_and_says_so(
    store: LocalStore, published: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(WrappedStore):
        tried = 0

        def swap(self, path: str, content: bytes, tag: str | None) -> bool:
            self.tried += 1
            return False

    monkeypatch.setattr(catalog_files, "_MAX_WAIT_SECONDS", 0.0)
    slow = Slow(store, lambda path, offset, data: data)
    with pytest.raises(PublishError, match=r"text/catalog\.json was changed by others 40 times in a row; try again"):
        update_catalog(slow, "text", lambda c: add_version(c, published("1.0.0")))
    assert slow.tried == 40


def test_names_are_folders_and_on_a_web_server_those_of_the_catalog(store: LocalStore, published: Any) -> None:
    pytest.importorskip("requests")
    with FolderServer(store.root) as server:
        assert dataset_names(store) == []
        with pytest.raises(UsageError, match="cannot list its datasets"):
            dataset_names(HttpStore(server.url))
        update_catalog(store, "text", lambda c: add_version(c, published("1.0.0")))
        store.put_if_absent("older/1.0.0/manifest.json", b"")
        store.put_if_absent("Not a name/x", b"")
        assert dataset_names(store) == ["older", "text"]
        assert dataset_names(HttpStore(server.url)) == ["text"]
        store.replace(CATALOG, b'{"format_version": 1, "datasets": ["../../etc", "text"]}')
        assert dataset_names(HttpStore(server.url)) == ["text"]
