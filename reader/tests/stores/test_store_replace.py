"""Writing an object anew: what every store promises of it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from http.client import FORBIDDEN
from pathlib import Path
from typing import Any

import pytest

from groupstream import PublishError
from groupstream.cache import CachedStore
from groupstream.layout import STAGING
from groupstream.testing import WrappedStore

# Google's client lets go of some failed answers unread.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

WRITTEN, BUCKETS = ["local", "gcs", "s3"], ["gcs", "s3"]
DENIED = b'<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>no</Message></Error>'


def only(*kinds: str) -> pytest.MarkDecorator:
    """For tests of some stores: `place` is made of each of these kinds."""
    return pytest.mark.parametrize("place", kinds, indirect=True)


@only(*WRITTEN)
def test_an_object_is_replaced_whether_or_not_it_is_there(place) -> None:
    store = place.store()
    for content in (b"first", b"second, longer", b"3", b""):
        store.replace("a/b/x.html", content)
        assert store.read("a/b/x.html") == content
        assert store.size_bytes("a/b/x.html") == len(content)
    assert store.put_if_absent("y", b"put")
    store.replace("y", b"replaced")
    assert store.read("y") == b"replaced"
    assert [found.path for found in store.objects("")] == ["a/b/x.html", "y"]


@only("local", "gcs")  # moto takes a second for this; S3 itself promises it
def test_who_reads_while_it_is_replaced_gets_a_whole_one(place) -> None:
    store, contents = place.store(), [bytes([number]) * 200_000 for number in range(4)]
    store.replace("x", contents[0])
    ended = threading.Event()

    def read() -> set[bytes]:
        found = set()
        while not ended.is_set():
            found.add(store.read("x"))
        return found

    with ThreadPoolExecutor(6) as threads:
        readers = [threads.submit(read) for _ in range(2)]
        list(threads.map(lambda content: store.replace("x", content), contents * 5))
        ended.set()
    assert set().union(*(reader.result() for reader in readers)) <= set(contents)
    assert store.read("x") in contents


@only("local")
def test_a_file_that_was_replaced_leaves_nothing_else(place) -> None:
    place.store().replace("x", b"first")
    place.store().replace("x", b"second")
    assert not list((Path(place.root) / STAGING).iterdir())
    (Path(place.root) / "folder/y").mkdir(parents=True)
    with pytest.raises(PublishError, match=rf"^cannot write {place.root}/folder: .*\. Make room or allow writing"):
        place.store().replace("folder", b"")
    assert not list((Path(place.root) / STAGING).iterdir())


@only(*BUCKETS)
def test_a_bucket_says_what_a_file_is_so_that_browsers_open_it(place, request: pytest.FixtureRequest) -> None:
    place.store().replace("catalog.html", b"<p>")
    place.write("a/card.html", b"<p>")
    place.write("a/train.tfrecord", b"")
    described = _gcs_described if place.kind == "gcs" else _s3_described
    assert described(place, request, "catalog.html") == ("text/html; charset=utf-8", "no-cache")
    assert described(place, request, "a/card.html") == ("text/html; charset=utf-8", "")
    assert described(place, request, "a/train.tfrecord") == ("application/octet-stream", "")


def _gcs_described(place: Any, request: pytest.FixtureRequest, path: str) -> tuple[str, str]:
    found = place.server.buckets.get("bucket", f"some/prefix/{path}")
    return found.content_type, found.cache_control


def _s3_described(place: Any, request: pytest.FixtureRequest, path: str) -> tuple[str, str]:
    bucket = place.root.split("/")[2]
    found = request.getfixturevalue("s3_client").head_object(Bucket=bucket, Key=f"some/prefix/{path}")
    return found["ContentType"], found.get("CacheControl", "")


@pytest.mark.integration
@only(*BUCKETS)
def test_a_replacement_that_fails_in_passing_is_made_again(place) -> None:
    for number, fault in enumerate((place.server.faults.refuse, place.server.faults.lose)):
        fault(method="POST" if place.kind == "gcs" else "PUT")
        place.store().replace("x", bytes([number]))
        assert not len(place.server.faults)
        assert place.store().read("x") == bytes([number])


@only(*BUCKETS)
def test_a_replacement_that_is_not_allowed_says_how_to_sign_in(place) -> None:
    place.server.faults.refuse(times=100, status=FORBIDDEN, body=DENIED)
    with pytest.raises(PublishError, match=rf"^cannot write {place.root}/x: permission denied .*Sign in with"):
        place.store().replace("x", b"")


@only("http")
def test_a_web_server_replaces_nothing(place) -> None:
    place.write("x", b"content")
    with pytest.raises(PublishError, match=rf"^cannot write {place.root}/x: a web server is only read"):
        place.store().replace("x", b"")
    assert place.store().read("x") == b"content"


@only("local")
@pytest.mark.parametrize("around", ["wrapped", "cached"])
def test_a_store_around_a_store_passes_it_on(place, around: str, tmp_path: Path) -> None:
    inner = place.store()
    store = (
        WrappedStore(inner, lambda path, offset, data: data)
        if around == "wrapped"
        else CachedStore(inner, "version", tmp_path / "copy")
    )
    store.replace("x", b"first")
    store.replace("x", b"second")
    assert inner.read("x") == b"second"
