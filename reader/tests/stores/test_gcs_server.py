"""The fake itself, asked with nothing but the standard library, and held to what Google's documentation says.

Source: https://docs.cloud.google.com/storage/docs/ and there request-preconditions, resumable-uploads,
performing-resumable-uploads, data-validation, json_api/v1/status-codes and json_api/v1/objects/list.
"""

from __future__ import annotations

import base64
import hashlib
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import IncompleteRead, RemoteDisconnected
from typing import Any

import google_crc32c
import pytest

from groupstream.testing import GcsServer

BLOCK = 256 << 10
HERE = "/storage/v1/b/bucket/o"


@pytest.fixture
def server() -> Iterator[GcsServer]:
    with GcsServer("bucket", page_size=2) as server:
        yield server


def ask(server: GcsServer, path: str, data: bytes | None = None, method: str | None = None, **headers: str) -> Any:
    request = urllib.request.Request(server.url + path, data, headers, method=method)
    with urllib.request.urlopen(request) as answer:
        return answer.status, dict(answer.headers), answer.read()


def write(server: GcsServer, name: str, data: bytes, query: str = "", **headers: str) -> dict[str, Any]:
    path = f"/upload/storage/v1/b/bucket/o?uploadType=media&name={name}{query}"
    return json.loads(ask(server, path, data, **headers)[2])


def status_of(function: Any, *arguments: Any, **options: Any) -> int:
    return refusal(function, *arguments, **options)[0]


def refusal(function: Any, *arguments: Any, **options: Any) -> tuple[int, dict[str, str]]:
    with pytest.raises(urllib.error.HTTPError) as caught:
        function(*arguments, **options)
    caught.value.close()
    return caught.value.code, dict(caught.value.headers)


def begin(server: GcsServer, query: str = "", described: dict[str, str] | None = None) -> str:
    """A resumable upload; where it goes on."""
    path = f"/upload/storage/v1/b/bucket/o?uploadType=resumable&name=x{query}"
    place: str = ask(server, path, json.dumps(described or {}).encode())[1]["Location"]
    return place.removeprefix(server.url)


def put(server: GcsServer, place: str, content_range: str, data: bytes = b"", **headers: str) -> tuple[int, str | None]:
    """The status of an answer, and its header Range."""
    try:
        status, got, _ = ask(server, place, data, "PUT", **{"Content-Range": content_range}, **headers)
    except urllib.error.HTTPError as error:
        error.close()
        status, got = error.code, dict(error.headers)
    return status, got.get("Range")


def crc32c(data: bytes) -> str:
    return base64.b64encode(google_crc32c.value(data).to_bytes(4, "big")).decode()


def test_a_write_holds_to_the_generation(server: GcsServer) -> None:
    first = write(server, "x", b"first", "&ifGenerationMatch=0")
    assert status_of(write, server, "x", b"second", "&ifGenerationMatch=0") == 412
    assert server.buckets.get("bucket", "x").content == b"first"
    second = write(server, "x", b"second", f"&ifGenerationMatch={first['generation']}")
    assert int(second["generation"]) > int(first["generation"])
    assert status_of(write, server, "x", b"third", f"&ifGenerationMatch={first['generation']}") == 412
    assert status_of(write, server, "y", b"where none is", f"&ifGenerationMatch={first['generation']}") == 412
    assert status_of(ask, server, f"{HERE}/x?ifGenerationMatch=1", method="DELETE") == 412
    ask(server, f"{HERE}/x", method="DELETE")
    assert status_of(ask, server, f"{HERE}/x") == 404


def test_a_match_that_fails_is_412_and_a_match_that_was_not_wanted_304(server: GcsServer) -> None:
    generation = write(server, "x", b"content")["generation"]
    for what in (f"{HERE}/x?", f"{HERE}/x?alt=media&"):
        assert ask(server, f"{what}ifGenerationMatch={generation}&ifMetagenerationMatch=1")[0] == 200
        assert ask(server, f"{what}ifGenerationNotMatch=1&ifMetagenerationNotMatch=7")[0] == 200
        assert status_of(ask, server, f"{what}ifGenerationMatch=1") == 412
        assert status_of(ask, server, f"{what}ifMetagenerationMatch=2") == 412
        assert status_of(ask, server, f"{what}ifGenerationNotMatch={generation}") == 304
        assert status_of(ask, server, f"{what}ifMetagenerationNotMatch=1") == 304
    assert status_of(write, server, "x", b"other", f"&ifGenerationNotMatch={generation}") == 304
    assert status_of(write, server, "new", b"only over another one", "&ifGenerationNotMatch=0") == 304
    assert sorted(server.buckets.of("bucket")) == ["x"]


def test_what_is_not_there_is_404_whatever_the_conditions(server: GcsServer) -> None:
    generation = write(server, "x", b"content")["generation"]
    for query in ("", "?ifGenerationMatch=1", "?ifGenerationNotMatch=0", "?alt=media&ifGenerationMatch=1"):
        assert status_of(ask, server, f"{HERE}/none{query}") == 404
    assert status_of(ask, server, f"{HERE}/none?ifGenerationMatch=1", method="DELETE") == 404
    assert status_of(ask, server, f"{HERE}/x?generation=1") == 404
    assert status_of(ask, server, f"{HERE}/x?generation=1", method="DELETE") == 404
    assert status_of(ask, server, f"{HERE}/none/rewriteTo/b/bucket/o/y?ifGenerationMatch=0", b"") == 404
    ask(server, f"{HERE}/x?generation={generation}&ifGenerationMatch={generation}", method="DELETE")
    assert not server.buckets.of("bucket")


def test_a_rewrite_holds_to_the_generations_of_both(server: GcsServer) -> None:
    source, target = (int(write(server, name, name.encode())["generation"]) for name in "ab")
    copy = f"{HERE}/a/rewriteTo/b/bucket/o"
    assert status_of(ask, server, f"{copy}/b?ifGenerationMatch=0", b"") == 412
    assert status_of(ask, server, f"{copy}/b?ifGenerationNotMatch={target}", b"") == 304
    assert status_of(ask, server, f"{copy}/c?ifSourceGenerationMatch={target}", b"") == 412
    assert status_of(ask, server, f"{copy}/c?ifSourceGenerationNotMatch={source}", b"") == 304
    answer = json.loads(ask(server, f"{copy}/c?ifGenerationMatch=0&ifSourceGenerationMatch={source}", b"")[2])
    assert answer["done"] is True
    assert server.buckets.get("bucket", "c").content == b"a"


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
        page = json.loads(ask(server, f"{HERE}?prefix=a/&delimiter=/&pageToken={token}")[2])
        found += [each["name"] for each in page.get("items", [])] + page.get("prefixes", [])
        token = page.get("nextPageToken", "")
    assert found == ["a/1", "a/b/", "a/z", "a/c/"]
    assert token == ""


def test_a_page_goes_on_where_the_last_one_ended_whatever_happened_meanwhile(server: GcsServer) -> None:
    for name in "bcdf":
        server.buckets.put("bucket", name, b"")
    first = json.loads(ask(server, f"{HERE}?maxResults=2")[2])
    for name in "ae":
        server.buckets.put("bucket", name, b"")
    server.buckets.remove("bucket", "c")
    second = json.loads(ask(server, f"{HERE}?pageToken={first['nextPageToken']}")[2])
    assert [[each["name"] for each in page["items"]] for page in (first, second)] == [["b", "c"], ["d", "e"]]
    assert "items" not in json.loads(ask(server, f"{HERE}?prefix=none")[2])


@pytest.mark.parametrize("name", ["crc32c", "md5Hash"])
def test_a_content_that_is_not_what_its_checksum_says_is_not_written(server: GcsServer, name: str) -> None:
    wrong = {"crc32c": crc32c(b"other"), "md5Hash": base64.b64encode(hashlib.md5(b"other").digest()).decode()}[name]
    header = {"x-goog-hash": f"{name.removesuffix('Hash')}={wrong}"}
    assert status_of(write, server, "x", b"content", **header) == 400
    body = b'--b\r\n\r\n{"name": "x", "%s": "%s"}\r\n--b\r\n\r\ncontent\r\n--b--' % (name.encode(), wrong.encode())
    multipart = {"Content-Type": 'multipart/related; boundary="b"'}
    path = "/upload/storage/v1/b/bucket/o?uploadType=multipart"
    assert status_of(ask, server, path, body, **multipart) == 400
    place = begin(server, described={name: wrong})
    assert put(server, place, "bytes 0-6/7", b"content")[0] == 400
    assert put(server, begin(server), "bytes 0-6/7", b"content", **header)[0] == 400
    assert not server.buckets.of("bucket")
    assert ask(server, path, body.replace(b"content", b"other"), **multipart)[0] == 200


def test_a_checksum_that_is_right_is_taken(server: GcsServer) -> None:
    right = crc32c(b"content")
    write(server, "x", b"content", **{"x-goog-hash": f"crc32c={right}"})
    assert put(server, begin(server, described={"crc32c": right}), "bytes 0-6/7", b"content")[0] == 200


def test_a_resumable_upload_is_there_when_it_is_whole(server: GcsServer) -> None:
    place = begin(server, "&ifGenerationMatch=0")
    assert put(server, place, f"bytes 0-{BLOCK - 1}/{BLOCK + 3}", bytes(BLOCK)) == (308, f"bytes=0-{BLOCK - 1}")
    assert status_of(ask, server, f"{HERE}/x") == 404
    write(server, "x", b"of another")
    assert put(server, place, f"bytes {BLOCK}-{BLOCK + 2}/{BLOCK + 3}", b"end")[0] == 412
    assert server.buckets.get("bucket", "x").content == b"of another"
    assert status_of(begin, server, "&ifGenerationMatch=0") == 412


def test_an_upload_is_asked_how_far_it_is(server: GcsServer) -> None:
    place, total = begin(server), 2 * BLOCK
    assert put(server, place, f"bytes */{total}") == (308, None), "nothing is here"
    put(server, place, f"bytes 0-{BLOCK - 1}/{total}", b"a" * BLOCK)
    for asked in (f"bytes */{total}", "bytes */*"):
        assert put(server, place, asked) == (308, f"bytes=0-{BLOCK - 1}")
    assert put(server, place, f"bytes {BLOCK}-{total - 1}/{total}", b"b" * BLOCK)[0] == 200
    assert put(server, place, f"bytes */{total}")[0] == 200, "it is done, and says so again"
    assert server.buckets.get("bucket", "x").content == b"a" * BLOCK + b"b" * BLOCK


def test_a_block_is_kept_in_multiples_of_256_kib_and_what_is_here_is_passed_over(server: GcsServer) -> None:
    place = begin(server)
    assert put(server, place, f"bytes 0-{BLOCK + 6}/*", b"a" * (BLOCK + 7)) == (308, f"bytes=0-{BLOCK - 1}")
    assert put(server, place, "bytes 0-99/*", b"b" * 100) == (308, f"bytes=0-{BLOCK - 1}"), "bytes that are here stay"
    assert put(server, place, f"bytes {BLOCK + 9}-{BLOCK + 9}/{BLOCK + 10}", b"?") == (308, f"bytes=0-{BLOCK - 1}")
    assert put(server, place, f"bytes {BLOCK - 1}-{BLOCK}/{BLOCK + 1}", b"cd")[0] == 200
    assert server.buckets.get("bucket", "x").content == b"a" * BLOCK + b"d"


def test_an_empty_object_is_uploaded_and_an_upload_cancelled(server: GcsServer) -> None:
    place = begin(server)
    assert status_of(ask, server, place, method="DELETE") == 499
    assert put(server, place, "bytes 0-0/1", b"x")[0] == 404, "begin another one"
    assert not server.buckets.of("bucket")
    assert put(server, begin(server), "bytes */0")[0] == 200
    assert server.buckets.get("bucket", "x").content == b""


def test_an_upload_that_is_cut_creates_nothing(server: GcsServer) -> None:
    server.faults.cut_upload(times=2)
    with pytest.raises(OSError):
        write(server, "x", b"content" * 1000)
    with pytest.raises(OSError):
        begin(server, described={"contentType": "text/plain"})
    place = begin(server)
    server.faults.cut_upload(method="PUT")
    with pytest.raises(OSError):
        put(server, place, f"bytes 0-{4 * BLOCK - 1}/{4 * BLOCK}", bytes(4 * BLOCK))
    assert not server.buckets.of("bucket")
    assert put(server, place, f"bytes */{4 * BLOCK}") == (308, f"bytes=0-{2 * BLOCK - 1}"), "half is kept"


def test_a_part_of_a_block_may_be_kept(server: GcsServer) -> None:
    place, total = begin(server), 4 * BLOCK
    server.faults.keep_part()
    assert put(server, place, f"bytes 0-{total - 1}/{total}", b"a" * total) == (308, f"bytes=0-{2 * BLOCK - 1}")
    assert put(server, place, f"bytes {2 * BLOCK}-{total - 1}/{total}", b"b" * 2 * BLOCK)[0] == 200
    assert server.buckets.get("bucket", "x").content == b"a" * 2 * BLOCK + b"b" * 2 * BLOCK


def test_faults_hit_the_next_request_of_their_method_once(server: GcsServer) -> None:
    server.faults.refuse(status=503, method="POST")
    server.faults.cut()
    server.buckets.put("bucket", "x", b"0123456789")
    with pytest.raises(IncompleteRead):
        ask(server, f"{HERE}/x?alt=media")
    assert ask(server, f"{HERE}/x?alt=media")[2] == b"0123456789"
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
    assert status_of(ask, server, HERE) == 403
