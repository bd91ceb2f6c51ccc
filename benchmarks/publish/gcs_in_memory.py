"""As much of Google Cloud Storage as an upload and a download need, fast: `python -m benchmarks.publish.gcs_in_memory`.

Bodies are received into memory that was taken beforehand, and sent from it; nothing is copied, only the CRC32C is
computed, once. It prints its address, and serves bucket "bucket" until its standard input ends. `GET /forget` drops
all objects.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qsl, unquote, urlsplit

import google_crc32c

_generations = itertools.count(1)


@dataclass
class Stored:
    """An object, or an upload that has begun."""

    name: str
    content: memoryview
    crc: int = 0
    num_bytes: int = 0
    generation: int = field(default_factory=lambda: next(_generations))

    def resource(self) -> dict[str, Any]:
        """What the JSON API says of it."""
        return {
            "bucket": "bucket",
            "name": self.name,
            "size": str(self.num_bytes),
            "generation": str(self.generation),
            "crc32c": base64.b64encode(self.crc.to_bytes(4, "big")).decode(),
            "updated": "2026-01-01T00:00:00.000Z",
        }


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    objects: ClassVar[dict[str, Stored]] = {}
    uploads: ClassVar[dict[str, Stored]] = {}

    def do_GET(self) -> None:
        """An object, its description, or a list."""
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        if parts.path == "/forget":
            self.objects.clear()
            self.uploads.clear()
            return self._answer(200, {})
        if match := re.fullmatch("(?:/download)?/storage/v1/b/bucket/o/([^/]+)", parts.path):
            stored = self.objects.get(unquote(match[1]))
            if stored is None:
                return self._answer(404, {})
            return self._content(stored) if query.get("alt") == "media" else self._answer(200, stored.resource())
        prefix = query.get("prefix", "")
        names = sorted(name for name in self.objects if name.startswith(prefix) and name > query.get("pageToken", ""))
        listed = {"items": [self.objects[name].resource() for name in names[:1000]]}
        return self._answer(200, listed | ({"nextPageToken": names[999]} if len(names) > 1000 else {}))

    def do_POST(self) -> None:
        """A small object, or the begin of an upload."""
        query = dict(parse_qsl(urlsplit(self.path).query))
        body = memoryview(bytearray(int(self.headers["Content-Length"])))
        self.rfile.readinto(body)
        if query["uploadType"] == "resumable":
            upload_id = f"{next(_generations)}"
            self.uploads[upload_id] = Stored(json.loads(bytes(body))["name"], memoryview(b""))
            host = self.headers["Host"]
            place = f"http://{host}/upload/storage/v1/b/bucket/o?uploadType=resumable&upload_id={upload_id}"
            return self._answer(200, {}, Location=place)
        start, end = _content_of(body)
        name = json.loads(bytes(body[body.obj.index(b"{") : start]).split(b"\r\n--")[0])["name"]
        return self._keep(Stored(name, body[start:end], google_crc32c.value(body[start:end].tobytes()), end - start))

    def do_PUT(self) -> None:
        """A block of an upload."""
        query = dict(parse_qsl(urlsplit(self.path).query))
        stored, length = self.uploads[query["upload_id"]], int(self.headers["Content-Length"])
        total = int(self.headers["Content-Range"].rpartition("/")[2])
        if not stored.num_bytes:
            stored.content = memoryview(bytearray(total))
        block = stored.content[stored.num_bytes : stored.num_bytes + length]
        self.rfile.readinto(block)
        stored.crc = google_crc32c.extend(stored.crc, block.tobytes())
        stored.num_bytes += length
        if stored.num_bytes == total:
            del self.uploads[query["upload_id"]]
            return self._keep(stored)
        return self._answer(308, {}, Range=f"bytes=0-{stored.num_bytes - 1}")

    def _keep(self, stored: Stored) -> None:
        if self.objects.setdefault(stored.name, stored) is stored:
            return self._answer(200, stored.resource())
        return self._answer(412, {})

    def _content(self, stored: Stored) -> None:
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        start = int(wanted[1]) if wanted else 0
        end = min(int(wanted[2] or stored.num_bytes) + 1, stored.num_bytes) if wanted else stored.num_bytes
        self.send_response(206 if wanted else 200)
        self.send_header("X-Goog-Hash", f"crc32c={stored.resource()['crc32c']}")
        self.send_header("X-Goog-Generation", str(stored.generation))
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{stored.num_bytes}")
        self.send_header("Content-Length", str(end - start))
        self.end_headers()
        self.wfile.flush()
        self.connection.sendall(stored.content[start:end])

    def _answer(self, status: int, content: dict[str, Any], **headers: str) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), "Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


def _content_of(body: memoryview) -> tuple[int, int]:
    """Where the second part of a body of multipart/related begins and ends."""
    whole: Any = body.obj
    mark = bytes(whole[: whole.index(b"\r\n")])
    second = whole.index(mark, len(mark))
    return whole.index(b"\r\n\r\n", second) + 4, whole.rindex(b"\r\n" + mark)


class Server(ThreadingHTTPServer):
    """With room for many connections at once."""

    daemon_threads = True
    request_queue_size = 128


def main() -> None:
    """Serves until standard input ends."""
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    sys.stdin.read()
    server.shutdown()


if __name__ == "__main__":
    main()
