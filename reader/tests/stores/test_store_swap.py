"""Compare and swap: what every store promises of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from http.client import FORBIDDEN
from typing import Any

import pytest

from groupstream import PublishError, UsageError
from groupstream.catalog import DatasetCatalog, dataset_names, read_catalog, update_catalog
from groupstream.layout import CATALOG
from groupstream.stores import Store

# Google's client lets go of some failed answers unread.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

WRITTEN, BUCKETS = ["local", "gcs", "s3"], ["gcs", "s3"]
DENIED = b'<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>no</Message></Error>'


def only(*kinds: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("place", kinds, indirect=True)


@only(*WRITTEN)
def test_a_swap_writes_only_over_what_was_read(place) -> None:
    store = place.store()
    assert store.read_tagged("a/x.json") is None
    assert store.swap("a/x.json", b"1", None)
    assert not store.swap("a/x.json", b"2", None), "it is there by now"
    first = store.read_tagged("a/x.json")
    assert first is not None
    assert first.content == b"1"
    assert store.swap("a/x.json", b"2", first.tag)
    assert not store.swap("a/x.json", b"3", first.tag), "it is another one by now"
    assert store.read("a/x.json") == b"2"
    store.delete("a/x.json")
    assert not store.swap("a/x.json", b"3", first.tag), "it is gone by now"
    assert store.read_tagged("a/x.json") is None


@only(*WRITTEN)
def test_no_change_of_many_at_once_is_lost(place) -> None:
    num_threads, num_changes = 4, 4

    def count(thread_index: int) -> None:
        for change_index in range(num_changes):
            name = f"n{thread_index}-{change_index}"
            update_catalog(place.store(), "text", lambda c, name=name: _with_alias(c, name))

    with ThreadPoolExecutor(num_threads) as threads:
        list(threads.map(count, range(num_threads)))
    catalog = read_catalog(place.store(), "text")
    assert catalog is not None
    assert len(catalog.aliases) == num_threads * num_changes
    assert dataset_names(place.store()) == ["text"]


def _with_alias(catalog: DatasetCatalog, name: str) -> DatasetCatalog:
    return catalog.model_copy(update={"aliases": {**catalog.aliases, name: "1.0.0"}})


@only(*BUCKETS)
def test_a_change_whose_answer_is_lost_is_made_once(place) -> None:
    place.server.faults.lose(times=1, method="POST" if place.kind == "gcs" else "PUT")
    calls = []

    def change(catalog: DatasetCatalog) -> DatasetCatalog:
        calls.append(catalog)
        return _with_alias(catalog, "one")

    assert update_catalog(place.store(), "text", change).aliases == {"one": "1.0.0"}
    assert len(place.server.faults) == 0
    assert [dict(c.aliases) for c in calls] == [{}, {"one": "1.0.0"}], "it was read again, and had the change"


@only(*BUCKETS)
def test_where_nothing_changes_nothing_is_written(place) -> None:
    update_catalog(place.store(), "text", lambda c: _with_alias(c, "one"))
    place.server.requests.clear()
    update_catalog(place.store(), "text", lambda c: _with_alias(c, "one"))
    assert {request.method for request in place.server.requests} == {"GET"}
    assert len(place.server.requests) <= 3


@only(*BUCKETS)
def test_who_may_not_write_is_told(place) -> None:
    place.server.faults.refuse(times=1, status=FORBIDDEN, body=DENIED)
    with pytest.raises(PublishError, match=r"^cannot write .*/a/x.json: permission denied"):
        place.store().swap("a/x.json", b"1", None)


@only("http")
def test_a_web_server_is_only_read(place, monkeypatch: Any) -> None:
    place.write(f"text/{CATALOG}", DatasetCatalog(name="text").to_json())
    assert read_catalog(place.store(), "text") == DatasetCatalog(name="text")
    assert read_catalog(place.store(), "other") is None
    with pytest.raises(UsageError, match=r"a web server is only read"):
        _swap_anything(place.store())


def _swap_anything(store: Store) -> None:
    store.swap(f"text/{CATALOG}", b"", None)
