"""The fake itself, asked with nothing but the standard library."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import IncompleteRead, RemoteDisconnected
from typing import Any

import pytest

from groupstream.testing import GcsServer


@pytest.fixture
def server() -> Iterator[GcsServer]:
    with GcsServer("bucket", page_size=2) as server:
        yield server


def ask(server: GcsServer, path: str, data: bytes | None = None, method: str | None = None, **headers: str) -> Any:
    request = urllib.request.Request(server.url + path, data, headers, method=method)
    with urllib.request.urlopen(request) as answer:
        return answer.status, dict(answer.headers), answer.read()


def write(server: GcsServer, name: str, data: bytes, query: str = "") -> dict[str, Any]:
    return json.loads(ask(server, f"/upload/storage/v1/b/bucket/o?uploadType=media&name={name}{query}", data)[2])


def status_of(function: Any, *arguments: Any, **options: Any) -> int:
    with pytest.raises(urllib.error.HTTPError) as caught:
        function(*arguments, **options)
    caught.value.close()
    return caught.value.code


def test_a_write_holds_to_the_generation(server: GcsServer) -> None:
    first = write(server, "x", b"first", "&ifGenerationMatch=0")
    assert status_of(write, server, "x", b"second", "&ifGenerationMatch=0") == 412
    assert server.buckets.get("bucket", "x").content == b"first"
    second = write(server, "x", b"second", f"&ifGenerationMatch={first['generation']}")
    assert int(second["generation"]) > int(first["generation"])
    assert status_of(write, server, "x", b"third", f"&ifGenerationMatch={first['generation']}") == 412
    assert status_of(ask, server, "/storage/v1/b/bucket/o/x?ifGenerationMatch=1", method="DELETE") == 412
    ask(server, "/storage/v1/b/bucket/o/x", method="DELETE")
    assert status_of(ask, server, "/storage/v1/b/bucket/o/x") == 404


def test_an_object_is_described_and_read(server: GcsServer) -> None:
    described = write(server, "a%2Fx", b"123456789")
    assert (described["name"], described["size"], described["crc32c"]) == ("a/x", "9", "4waSgw==")  # 0xe3069283
    media = "/download/storage/v1/b/bucket/o/a%2Fx?alt=media"
    assert ask(server, media)[2] == b"123456789"
    status, headers, content = ask(server, media, Range="bytes=2-100")
    assert (status, headers["Content-Range"], content) == (206, "bytes 2-8/9", b"3456789")
    assert status_of(ask, server, media, Range="bytes=9-") == 416


def test_a_list_comes_in_pages_that_together_are_all(server: GcsServer) -> None:
    for name in ("a/1", "a/b/2", "a/b/3", "a/c/4", "a/z", "other"):
        server.buckets.put("bucket", name, b"")
    found, token = [], ""
    for _ in range(2):
        page = json.loads(ask(server, f"/storage/v1/b/bucket/o?prefix=a/&delimiter=/&pageToken={token}")[2])
        found += [each["name"] for each in page.get("items", [])] + page.get("prefixes", [])
        token = page.get("nextPageToken", "")
    assert found == ["a/1", "a/b/", "a/z", "a/c/"]
    assert token == ""


def test_a_resumable_upload_is_there_when_it_is_whole(server: GcsServer) -> None:
    begin = "/upload/storage/v1/b/bucket/o?uploadType=resumable&name=x&ifGenerationMatch=0"
    place = ask(server, begin, b"{}")[1]["Location"].removeprefix(server.url)
    block = {"method": "PUT", "Content-Range": "bytes 0-2/6"}
    assert status_of(ask, server, place, b"abc", **block) == 308
    assert status_of(ask, server, "/storage/v1/b/bucket/o/x") == 404
    write(server, "x", b"of another")
    assert status_of(ask, server, place, b"def", method="PUT", **{"Content-Range": "bytes 3-5/6"}) == 412
    assert server.buckets.get("bucket", "x").content == b"of another"


def test_faults_hit_the_next_request_of_their_method_once(server: GcsServer) -> None:
    server.faults.refuse(status=503, method="POST")
    server.faults.cut()
    server.buckets.put("bucket", "x", b"0123456789")
    with pytest.raises(IncompleteRead):
        ask(server, "/storage/v1/b/bucket/o/x?alt=media")
    assert ask(server, "/storage/v1/b/bucket/o/x?alt=media")[2] == b"0123456789"
    assert status_of(write, server, "y", b"y") == 503
    server.faults.lose(method="POST")
    with pytest.raises(RemoteDisconnected):
        write(server, "y", b"y")
    assert server.buckets.get("bucket", "y").content == b"y"
    assert not len(server.faults)
    assert [request.method for request in server.requests] == ["GET", "GET", "POST", "POST"]


def test_what_is_not_there_or_not_allowed(server: GcsServer) -> None:
    assert status_of(ask, server, "/storage/v1/b/nothing/o") == 404
    assert status_of(ask, server, "/batch/storage/v1", b"") == 501
    server.denied.add("bucket")
    assert status_of(ask, server, "/storage/v1/b/bucket/o") == 403
