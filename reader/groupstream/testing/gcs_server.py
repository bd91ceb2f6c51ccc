"""A fake of Google Cloud Storage over real HTTP, for tests.

It knows what writing versions rests on and other emulators leave out: generations and preconditions
(`ifGenerationMatch` and its like), checksums that are compared before anything is written, resumable uploads of which
a part may be kept, and faults on request or at random. Objects are in memory. Everybody may do everything, unless a
bucket is denied.

Known of the JSON API: reading an object (with Range) or its description, listing with prefix, delimiter and pages,
simple, multipart and resumable uploads, rewriting, copying, deleting, describing a bucket. All else is 501.

    with GcsServer("bucket") as server:
        os.environ["STORAGE_EMULATOR_HOST"] = server.url
        groupstream.open("text", root="gs://bucket/datasets")

Source: https://docs.cloud.google.com/storage/docs/json_api/v1
"""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from groupstream.testing.byte_ranges import cut_out
from groupstream.testing.faulty_server import FaultyServer, Reply
from groupstream.testing.gcs_objects import Buckets, Conditions, Refused, StoredObject

BLOCK_BYTES = 256 << 10  # Google keeps multiples of it of an upload that goes on
_CANCELLED = 499

_ROUTES = [
    (re.compile(pattern), name)
    for pattern, name in (
        (r"/(?:resumable/)?upload/storage/v1/b/([^/]+)/o", "upload"),
        (r"(?:/download)?/storage/v1/b/([^/]+)/o/([^/]+)", "object"),
        (r"/storage/v1/b/([^/]+)/o/([^/]+)/(?:rewriteTo|copyTo)/b/([^/]+)/o/([^/]+)", "copy"),
        (r"/storage/v1/b/([^/]+)/o/?", "list"),
        (r"/storage/v1/b/([^/]+)", "bucket"),
    )
]


@dataclass
class Upload:
    """A resumable upload that has begun.

    Attributes:
        described: what the object is to be, by the client.
    """

    bucket: str
    name: str
    conditions: Conditions
    described: dict[str, Any]
    content: bytearray = field(default_factory=bytearray)
    done: StoredObject | None = None

    def keep(self, first: int, block: bytes, unit: int) -> None:
        """Takes a block that begins at a byte, in multiples of a unit. What is here already is passed over."""
        have = len(self.content)
        if first <= have:
            fresh = block[have - first :]
            self.content += fresh[: len(fresh) // unit * unit]


@dataclass(frozen=True)
class Call:
    """A request, taken apart."""

    method: str
    url: str  # of the server
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def number(self, name: str) -> int | None:
        """A parameter that is a number."""
        return int(self.query[name]) if name in self.query else None


class GcsServer(FaultyServer):
    """See the module. `requests` records what was asked, `faults` takes what shall go wrong.

    Args:
        buckets: that there are from the start.
        page_size: entries in a page of a list, at most.
        block_bytes: of a resumable upload whose end has not come, multiples of it are kept.
    """

    def __init__(self, *buckets: str, page_size: int = 1000, block_bytes: int = BLOCK_BYTES) -> None:
        self.buckets = Buckets()
        self.denied: set[str] = set()  # buckets whose requests are answered with 403
        self.rewrite_bytes = 1 << 30  # of a copy that one request makes, at most
        self._page_size = page_size
        self._block_bytes = block_bytes
        self._uploads: dict[str, Upload] = {}
        self._upload_ids = itertools.count()
        for bucket in buckets:
            self.buckets.add(bucket)
        super().__init__()

    def reply(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        """The answer to a request."""
        call = _call(method, self.url, path, headers, body)
        try:
            for pattern, name in _ROUTES:
                if match := pattern.fullmatch(urlsplit(path).path):
                    places = [unquote(place) for place in match.groups()]
                    if places[0] in self.denied:
                        raise Refused(403, f"The caller does not have access to {places[0]}.")
                    return getattr(self, f"_{name}")(call, *places)
            raise Refused(501, f"not known here: {method} {path}")
        except Refused as refused:
            return refused.reply

    def take_part(self, method: str, path: str, headers: dict[str, str], part: bytes) -> Reply | None:
        """Keeps what arrived of a block of a resumable upload."""
        call = _call(method, self.url, path, headers, part)
        upload = self._uploads.get(call.query.get("upload_id", ""))
        first, _ = _content_range(call)
        if method != "PUT" or upload is None or upload.done or first is None:
            return None
        upload.keep(first, part, self._block_bytes)
        return _incomplete(upload)

    def _bucket(self, call: Call, bucket: str) -> Reply:
        self.buckets.of(bucket)
        return _json({"kind": "storage#bucket", "id": bucket, "name": bucket, "location": "EU", "projectNumber": "1"})

    def _object(self, call: Call, bucket: str, name: str) -> Reply:
        if call.method == "DELETE":
            self.buckets.remove(bucket, name, call.number("generation"), Conditions.of(call.query))
            return Reply(204)
        stored = self.buckets.get(bucket, name, call.number("generation"), Conditions.of(call.query))
        if call.query.get("alt") != "media":
            return _json(stored.resource())
        headers = {
            "Content-Type": stored.content_type,
            "X-Goog-Generation": str(stored.generation),
            "X-Goog-Hash": f"crc32c={stored.crc32c},md5={stored.md5}",
        }
        content = stored.content
        return cut_out(len(content), lambda start, end: content[start:end], call.headers.get("range"), headers)

    def _list(self, call: Call, bucket: str) -> Reply:
        query = call.query
        size = min(call.number("maxResults") or self._page_size, self._page_size)
        page = self.buckets.list(
            bucket, query.get("prefix", ""), query.get("delimiter", ""), query.get("pageToken", ""), size
        )
        listed = {
            "kind": "storage#objects",
            "items": [each.resource() for each in page.objects],
            "prefixes": page.prefixes,
            "nextPageToken": page.next_token,
        }
        return _json({key: value for key, value in listed.items() if value})

    def _copy(self, call: Call, bucket: str, name: str, to_bucket: str, to_name: str) -> Reply:
        source = self.buckets.get(bucket, name, call.number("sourceGeneration"), Conditions.of(call.query, "ifSource"))
        content, conditions = source.content, Conditions.of(call.query)
        self.buckets.check(to_bucket, to_name, conditions)
        done_bytes = min(int(call.query.get("rewriteToken", "0")) + self.rewrite_bytes, len(content))
        answer = {
            "kind": "storage#rewriteResponse",
            "done": done_bytes == len(content),
            "totalBytesRewritten": str(done_bytes),
            "objectSize": str(len(content)),
        }
        if not answer["done"]:
            return _json(answer | {"rewriteToken": str(done_bytes)})
        stored = self.buckets.put(to_bucket, to_name, content, conditions, **source.described()).resource()
        return _json({**stored, **answer, "resource": stored})

    def _upload(self, call: Call, bucket: str) -> Reply:
        if "upload_id" in call.query:
            return self._continue(call, call.query["upload_id"])
        kind = call.query.get("uploadType", "media")
        described, content = _parts(call) if kind == "multipart" else (_described(call, kind), call.body)
        name = call.query.get("name") or described.get("name", "")
        conditions = Conditions.of(call.query)
        if kind == "resumable":
            return self._begin(call, Upload(bucket, name, conditions, described))
        _check_sums(content, described, call.headers.get("x-goog-hash", ""))
        return _json(self.buckets.put(bucket, name, content, conditions, **_options(described)).resource())

    def _begin(self, call: Call, upload: Upload) -> Reply:
        self.buckets.check(upload.bucket, upload.name, upload.conditions)
        upload_id = f"upload-{next(self._upload_ids)}"
        self._uploads[upload_id] = upload
        place = f"{call.url}/upload/storage/v1/b/{upload.bucket}/o?uploadType=resumable&upload_id={upload_id}"
        return Reply(200, b"", {"Location": place, "X-GUploader-UploadID": upload_id})

    def _continue(self, call: Call, upload_id: str) -> Reply:
        """Takes a block of an upload, or says how much of it is here."""
        upload = self._uploads.get(upload_id)
        if upload is None:
            raise Refused(404, f"No such upload: {upload_id}")
        if upload.done:
            return _json(upload.done.resource())
        if call.method == "DELETE":
            del self._uploads[upload_id]
            return Reply(_CANCELLED)
        first, total = _content_range(call)
        if first is not None:
            ends = total is not None and first + len(call.body) >= total
            upload.keep(first, call.body, 1 if ends else self._block_bytes)
        if total is None or len(upload.content) < total:
            return _incomplete(upload)
        return self._finish(upload, call.headers.get("x-goog-hash", ""))

    def _finish(self, upload: Upload, sent_hash: str) -> Reply:
        content = bytes(upload.content)
        _check_sums(content, upload.described, sent_hash)
        options = _options(upload.described)
        upload.done = self.buckets.put(upload.bucket, upload.name, content, upload.conditions, **options)
        upload.content.clear()
        return _json(upload.done.resource())


def _call(method: str, url: str, path: str, headers: dict[str, str], body: bytes) -> Call:
    return Call(method, url, dict(parse_qsl(urlsplit(path).query, keep_blank_values=True)), headers, body)


def _incomplete(upload: Upload) -> Reply:
    """How much of an upload is here. Without the header Range nothing is."""
    return Reply(308, b"", {"Range": f"bytes=0-{len(upload.content) - 1}"} if upload.content else {})


def _json(content: dict[str, Any]) -> Reply:
    return Reply(200, json.dumps(content).encode(), {"Content-Type": "application/json"})


def _described(call: Call, kind: str) -> dict[str, Any]:
    if kind == "resumable":
        return dict(json.loads(call.body or b"{}"))
    return {"contentType": call.headers.get("content-type")}


def _options(described: dict[str, Any]) -> dict[str, Any]:
    names = {"contentType": "content_type", "cacheControl": "cache_control", "metadata": "metadata"}
    return {ours: described[theirs] for theirs, ours in names.items() if described.get(theirs)}


def _parts(call: Call) -> tuple[dict[str, Any], bytes]:
    """The description and the content in a body of multipart/related."""
    found = re.search(r"boundary=[\"']?([^\"';]+)", call.headers["content-type"])
    if not found:
        raise Refused(400, "no boundary")
    mark = b"--" + found[1].encode()
    start = call.body.index(mark) + len(mark)
    newline = b"\r\n" if call.body[start:].startswith(b"\r\n") else b"\n"
    middle = call.body.index(newline + mark, start)
    end = call.body.rindex(newline + mark)
    (_, described), (header, content) = (
        part.split(2 * newline, 1) for part in (call.body[start:middle], call.body[middle + len(newline) : end])
    )
    stated = re.search(rb"^content-type: *([^\r\n]+)", header, re.IGNORECASE | re.MULTILINE)
    return {"contentType": stated and stated[1].decode(), **json.loads(described)}, content


def _content_range(call: Call) -> tuple[int | None, int | None]:
    """Where the block begins, None where there is none; the size of the whole, None where it is not known yet."""
    match = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", call.headers.get("content-range", ""))
    if not match:
        return 0, len(call.body)
    return (int(match[1]) if match[1] else None), (None if match[2] == "*" else int(match[2]))


def _check_sums(content: bytes, described: dict[str, Any], sent_hash: str) -> None:
    """Compares a content with the checksums that came with it, in the description or in the header x-goog-hash."""
    sent, stored = dict(re.findall(r"(crc32c|md5)=([^, ]+)", sent_hash)), StoredObject("", "", content, 0)
    if (stated := described.get("crc32c") or sent.get("crc32c")) not in (None, stored.crc32c):
        raise Refused(400, f"Provided CRC32C {stated} doesn't match calculated CRC32C {stored.crc32c}.")
    if (stated := described.get("md5Hash") or sent.get("md5")) and stated != stored.md5:
        raise Refused(400, f"Provided MD5 hash {stated} doesn't match calculated MD5 hash {stored.md5}.")
