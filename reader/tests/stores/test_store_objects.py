"""Listing, describing, copying and removing objects: what every store promises of them."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.client import FORBIDDEN
from pathlib import Path
from typing import Any

import google_crc32c
import pytest

from groupstream import PublishError, StoreError, UsageError
from groupstream.cache import CachedStore
from groupstream.stores import StoredObject
from groupstream.testing import WrappedStore

# Google's client lets go of some failed answers unread.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

WRITTEN, BUCKETS = ["local", "gcs", "s3"], ["gcs", "s3"]
DENIED = b'<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>no</Message></Error>'


def only(*kinds: str) -> pytest.MarkDecorator:
    """For tests of some stores: `place` is made of each of these kinds."""
    return pytest.mark.parametrize("place", kinds, indirect=True)


def test_an_object_is_described_without_reading_it(place) -> None:
    place.write("a/x", b"12345")
    stored = place.store().stat("a/x")
    assert (stored.path, stored.size_bytes) == ("a/x", 5)
    if place.kind == "gcs":  # which says the same of all
        assert stored.modified_at == datetime(2020, 1, 1, tzinfo=UTC)
    elif place.kind != "http":
        assert abs(datetime.now(UTC) - stored.modified_at) < timedelta(minutes=5)
    assert place.store().stat("a/missing") is place.store().stat("x/below") is None
    if place.kind == "gcs":
        assert stored.checksum == f"crc32c:{google_crc32c.value(b'12345'):08x}"
    elif place.kind == "s3":
        assert stored.checksum == "etag:827ccb0eea8a706c4c34a16891f84e7b"
    else:
        assert stored.checksum is None


@only("http")
@pytest.mark.parametrize(("sent", "checksum"), [('"abc"', "etag:abc"), ('W/"abc"', None), ("", None)])
def test_a_web_server_may_tell_a_checksum(place, sent: str, checksum: str | None) -> None:
    place.write("x", b"12345")
    pass_on = place.server.reply

    def reply(*asked):
        answer = pass_on(*asked)
        return answer._replace(headers={**answer.headers, "ETag": sent} if sent else answer.headers)

    place.server.reply = reply
    assert place.store().stat("x") == StoredObject("x", 5, checksum)


@only(*WRITTEN)
def test_objects_below_a_folder_are_all_listed(place) -> None:
    paths = ["b/1/x", "b/1/deep/er/y", "b/2/x", "bc/x", "b", "top", "c d/ä%#?"]
    if place.kind == "local":
        paths.remove("b")
    for path in paths:
        place.write(path, path.encode())
    for hidden in (".h/x", "b/.h/x", "b/1/.h"):
        place.write(hidden, b"")
    store = place.store()
    assert sorted(found.path for found in store.objects("")) == sorted(paths)
    assert sorted(found.path for found in store.objects("b")) == ["b/1/deep/er/y", "b/1/x", "b/2/x"]
    assert list(store.objects("b/1/deep")) == [store.stat("b/1/deep/er/y")]
    assert all(found == store.stat(found.path) for found in store.objects(""))
    assert list(store.objects("missing")) == list(store.objects("top")) == []
    assert [found.path for found in store.objects(".h")] == [".h/x"]


@only(*BUCKETS)
def test_objects_of_a_bucket_itself_are_listed(place) -> None:
    place.write("x", b"content")
    bucket = place.store(place.root.removesuffix("/some/prefix"))
    assert [found.path for found in bucket.objects("")] == ["some/prefix/x"]
    assert [found.path for found in bucket.objects("some")] == ["some/prefix/x"]


@only("gcs")
def test_a_list_of_many_pages_is_asked_for_as_it_is_read(place) -> None:
    for number in range(8):  # a page of this server holds three
        place.write(f"b/{number}", b"")
    place.server.requests.clear()
    listed = place.store().objects("b")
    assert not place.server.requests
    assert next(listed).path == "b/0"
    assert len(place.server.requests) == 1
    assert len(list(listed)) == 7
    assert len(place.server.requests) == 3


@only("local")
def test_what_is_no_file_is_no_object(place, tmp_path: Path) -> None:
    place.write("a/x", b"1")
    (Path(place.root) / "a/empty").mkdir()
    (Path(place.root) / "a/broken").symlink_to("nowhere")
    (Path(place.root) / "link").symlink_to("a")
    assert sorted(found.path for found in place.store().objects("")) == ["a/x", "link/x"]
    assert place.store().stat("a") is None


@only(*WRITTEN)
def test_a_copy_has_the_content_and_replaces_nothing(place) -> None:
    store = place.store()
    for path, content in {"a/x": b"first", "empty": b""}.items():
        place.write(path, content)
        assert store.copy_if_absent(path, f"copies/of/{path}")
        assert store.read(f"copies/of/{path}") == content
    place.write("y", b"second")
    assert not store.copy_if_absent("y", "copies/of/a/x")
    assert store.read("copies/of/a/x") == b"first"
    store.delete("a/x")
    assert store.read("copies/of/a/x") == b"first"


@only(*WRITTEN)
def test_a_copy_of_what_is_missing_is_told_by_its_full_name(place) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        place.store().copy_if_absent("a/missing", "x")
    assert caught.value.filename == f"{place.root}/a/missing"
    assert place.store().stat("x") is None


@only("local", "gcs")  # moto looks first and writes then; S3 itself promises it
def test_of_many_that_copy_at_once_exactly_one_does(place) -> None:
    store = place.store()
    for number in range(4):
        place.write(f"source-{number}", bytes([number]) * 1_000)
    with ThreadPoolExecutor(4) as threads:
        won = list(threads.map(lambda number: store.copy_if_absent(f"source-{number}", "x"), range(4)))
    assert sum(won) == 1
    assert store.read("x") == bytes([won.index(True)]) * 1_000


@only(*BUCKETS)
def test_an_object_that_appears_during_a_copy_stays(place) -> None:
    place.write("source", b"content")
    pass_on, lock, begun = place.server.reply, threading.Lock(), []

    def reply(method, path, headers, body):
        with lock:
            first = not begun and ("rewriteTo" in path or "partNumber" in path)
            begun.extend([path] * first)
        if first:
            place.write("x", b"of another")
        return pass_on(method, path, headers, body)

    place.server.reply = reply
    assert not place.store().copy_if_absent("source", "x")
    assert begun
    assert place.store().read("x") == b"of another"


@only("s3")
def test_a_copy_of_many_parts_is_whole(place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("groupstream.stores.s3_parts.COPY_PART_BYTES", 5 << 20)
    content = os.urandom((11 << 20) + 3)
    place.write("x", content)
    place.server.requests.clear()
    assert place.store().copy_if_absent("x", "y")
    assert sum("partNumber" in request.path for request in place.server.requests) == 3
    assert place.store().read("y") == content


@only("gcs")
def test_a_copy_that_takes_several_requests_is_whole(place) -> None:
    place.write("x", bytes(3_000))
    place.server.rewrite_bytes = 1_000
    place.server.requests.clear()
    assert place.store().copy_if_absent("x", "y")
    assert len(place.server.requests) == 3
    assert place.store().read("y") == bytes(3_000)


@only(*WRITTEN)
def test_what_is_removed_is_gone_and_may_be_removed_again(place) -> None:
    place.write("a/x", b"1")
    place.write("a/y", b"2")
    store = place.store()
    store.delete("a/x")
    assert store.stat("a/x") is None
    assert [found.path for found in store.objects("")] == ["a/y"]
    for gone in ("a/x", "a/y/below", "never/there"):
        store.delete(gone)
    assert store.read("a/y") == b"2"
    assert store.put_if_absent("a/x", b"3")
    assert store.read("a/x") == b"3"


@only("local")
def test_a_folder_is_not_removed(place) -> None:
    place.write("a/x", b"1")
    with pytest.raises(PublishError, match=rf"^cannot remove {place.root}/a: .*, or remove it by hand$"):
        place.store().delete("a")
    assert place.store().read("a/x") == b"1"


@pytest.mark.integration
@only(*BUCKETS)
def test_what_fails_in_passing_is_asked_again(place) -> None:
    place.write("x", b"content")
    store = place.store()
    asks = {
        "GET": lambda: list(store.objects("")),
        "POST": lambda: store.copy_if_absent("x", "y"),
        "DELETE": lambda: store.delete("y"),
    }
    for method, ask in asks.items():
        for fault in (place.server.faults.refuse, place.server.faults.lose):
            if method == "POST":
                store.delete("y")
            fault(method=method)
            ask()
            assert not len(place.server.faults), method
            assert (store.stat("y") is None) == (method != "POST")


@only(*BUCKETS)
def test_what_is_not_allowed_says_how_to_sign_in(place) -> None:
    place.write("x", b"content")
    place.server.faults.refuse(times=100, status=FORBIDDEN, body=DENIED)
    store = place.store()
    with pytest.raises(StoreError, match=rf"^cannot read {place.root}/x: permission denied"):
        store.stat("x")
    with pytest.raises(StoreError, match=rf"^cannot read {place.root}/a: permission denied"):
        list(store.objects("a"))
    with pytest.raises((StoreError, PublishError), match=rf"^cannot (read|write) {place.root}/[xy]: permission denied"):
        store.copy_if_absent("x", "y")
    with pytest.raises(PublishError, match=rf"^cannot remove {place.root}/x: permission denied"):
        store.delete("x")


@only("gcs")
@pytest.mark.parametrize("write", [lambda s: s.put_if_absent("x", b"2"), lambda s: s.copy_if_absent("y", "x")])
def test_who_may_create_and_not_delete_is_told_that_an_object_is_there(place, write: Any) -> None:
    store, faults = place.store(), place.server.faults
    store.put_if_absent("y", b"3")
    faults.refuse(status=FORBIDDEN, method="POST", body=DENIED)
    with pytest.raises(PublishError, match="permission denied"):
        write(store)
    assert store.put_if_absent("x", b"1")
    faults.refuse(status=FORBIDDEN, method="POST", body=DENIED)
    assert not write(store)
    assert store.read("x") == b"1"


@only(*BUCKETS)
def test_a_bucket_that_is_not_there_is_named(place) -> None:
    store = place.store(f"{place.root.split('/')[0]}//nothing-of-this-name/prefix")
    with pytest.raises(StoreError, match="there is no bucket nothing-of-this-name"):
        list(store.objects(""))
    with pytest.raises(PublishError, match=rf"cannot remove {store.root}/x: there is no bucket nothing-of-this-name"):
        store.delete("x")


@only("http")
def test_a_web_server_lists_and_changes_nothing(place) -> None:
    place.write("x", b"content")
    with pytest.raises(UsageError, match=rf"{place.root}/a cannot be listed, .* name each file"):
        place.store().objects("a")
    for change in (lambda: place.store().delete("x"), lambda: place.store().copy_if_absent("y", "x")):
        with pytest.raises(UsageError, match=rf"cannot change {place.root}/x: a web server is only read"):
            change()
    assert place.store().read("x") == b"content"


@only("local")
@pytest.mark.parametrize("around", ["wrapped", "cached"])
def test_a_store_around_a_store_passes_it_all_on(place, around: str, tmp_path: Path) -> None:
    inner = place.store()
    inner.put_if_absent("a/x", b"content")
    store = (
        WrappedStore(inner, lambda path, offset, data: data)
        if around == "wrapped"
        else CachedStore(inner, "version", tmp_path / "copy")
    )
    assert list(store.objects("a")) == list(inner.objects("a")) == [store.stat("a/x")]
    assert store.copy_if_absent("a/x", "y")
    assert not store.copy_if_absent("a/x", "y")
    store.delete("a/x")
    assert (inner.stat("a/x"), inner.read("y")) == (None, b"content")
