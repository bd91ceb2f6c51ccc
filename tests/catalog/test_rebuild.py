"""The catalog is complete, however many write it at once."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from catalog import rebuild_catalog
from groupstream import PublishError
from groupstream.layout import CATALOG_PAGE
from groupstream.stores import LocalStore, open_store
from groupstream.testing import GcsServer, WrappedStore


def listed(page: bytes) -> set[str]:
    """The versions that the page links to."""
    return set(re.findall(r'href="([^"]+)/report/card.html"', page.decode()))


def test_it_lies_at_the_root_and_links_to_the_cards(store, publish):
    publish("news@1.0.0")
    publish("news@2.0.0")
    publish("wiki@1.0.0")
    assert rebuild_catalog(store) == f"{store.root}/catalog.html"
    assert listed(store.read(CATALOG_PAGE)) == {"news/1.0.0", "news/2.0.0", "wiki/1.0.0"}
    publish("wiki@1.1.0")
    rebuild_catalog(store)
    assert listed(store.read(CATALOG_PAGE)) == {"news/1.0.0", "news/2.0.0", "wiki/1.0.0", "wiki/1.1.0"}


def test_nothing_is_written_where_nothing_was_ever_published(store, publish):
    assert rebuild_catalog(store) is None
    assert not Path(store.root).exists()
    store.replace(CATALOG_PAGE, b"of what was removed since")
    assert rebuild_catalog(store) == f"{store.root}/catalog.html"
    assert b"Nothing is published here yet" in store.read(CATALOG_PAGE)


def test_the_same_versions_give_the_same_page(store, publish):
    publish("b@1.0.0")
    publish("a@1.0.0")
    rebuild_catalog(store)
    first = store.read(CATALOG_PAGE)
    rebuild_catalog(store)
    assert store.read(CATALOG_PAGE) == first


def test_a_version_that_comes_while_it_is_written_is_in_it(store, publish):
    publish("news@1.0.0")
    coming = ["news@2.0.0", "late@1.0.0"]

    class Busy(WrappedStore):
        def replace(self, path: str, content: bytes) -> None:
            if coming:
                publish(coming.pop())
            super().replace(path, content)

    rebuild_catalog(Busy(store, lambda path, offset, data: data))
    assert listed(store.read(CATALOG_PAGE)) == {"news/1.0.0", "news/2.0.0", "late/1.0.0"}


def test_it_ends_although_versions_keep_coming(store, publish):
    publish("news@1.0.0")
    written = []

    class Busier(WrappedStore):
        def replace(self, path: str, content: bytes) -> None:
            written.append(path)
            publish(f"news@{len(written) + 1}.0.0")
            super().replace(path, content)

    assert rebuild_catalog(Busier(store, lambda path, offset, data: data))
    assert len(written) == 10


def test_of_many_publishers_at_once_the_last_page_has_all(store, publish):
    def publish_and_rebuild(number: int) -> None:
        own = LocalStore(store.root)
        publish(f"data-{number % 3}@{number}.0.0", into=own)
        rebuild_catalog(own)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(publish_and_rebuild, range(24)))
    assert listed(store.read(CATALOG_PAGE)) == {f"data-{n % 3}/{n}.0.0" for n in range(24)}


def test_it_works_in_a_bucket(publish, monkeypatch):
    pytest.importorskip("google.cloud.storage")
    with GcsServer("bucket", page_size=3) as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        store = open_store("gs://bucket/some/prefix")

        def publish_and_rebuild(number: int) -> str | None:
            publish(f"news@{number}.0.0", into=store)
            return rebuild_catalog(store)

        with ThreadPoolExecutor(4) as threads:
            assert set(threads.map(publish_and_rebuild, range(6))) == {"gs://bucket/some/prefix/catalog.html"}
        page = server.buckets.get("bucket", "some/prefix/catalog.html")
        assert listed(page.content) == {f"news/{n}.0.0" for n in range(6)}
        assert page.content_type.startswith("text/html")
        assert "root=&#34;gs://bucket/some/prefix&#34;" in page.content.decode()
        server.denied.add("bucket")
        with pytest.raises(Exception, match="permission denied"):
            rebuild_catalog(store)


def test_a_root_that_cannot_be_written_is_one_line(store, publish):
    publish("news@1.0.0")
    Path(store.root, CATALOG_PAGE).mkdir()
    with pytest.raises(PublishError, match=rf"^cannot write {store.root}/catalog.html: "):
        rebuild_catalog(store)
