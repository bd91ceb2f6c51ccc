"""What goes wrong on a network, on request."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple


class Fault(NamedTuple):
    """One thing that goes wrong with one request."""

    kind: str  # refuse, cut or lose
    method: str | None  # of the request that it waits for; None: any
    status: int = 0
    body: bytes = b""


class Faults:
    """Faults that wait for requests. Each hits one request, the first one after it of its method."""

    def __init__(self) -> None:
        self._waiting: deque[Fault] = deque()
        self._lock = threading.Lock()

    def refuse(self, times: int = 1, status: int = 503, method: str | None = None, body: bytes = b"") -> None:
        """The next requests are answered with an error, and nothing is done."""
        self._waiting.extend([Fault("refuse", method, status, body)] * times)

    def cut(self, times: int = 1, method: str | None = "GET") -> None:
        """The connection closes in the middle of the body of the next answers."""
        self._waiting.extend([Fault("cut", method)] * times)

    def lose(self, times: int = 1, method: str | None = None) -> None:
        """The next requests are carried out, and the connection closes before the answer."""
        self._waiting.extend([Fault("lose", method)] * times)

    def take(self, method: str) -> Fault | None:
        """The fault of this request, which is then spent."""
        with self._lock:
            fault = next((f for f in self._waiting if f.method in (None, method)), None)
            if fault:
                self._waiting.remove(fault)
            return fault

    def __len__(self) -> int:
        """How many still wait."""
        return len(self._waiting)


class Request(NamedTuple):
    """A request that a server got."""

    method: str
    path: str  # with the query
    range: str | None  # the header Range


class Reply(NamedTuple):
    """An answer. The body of a HEAD is not sent, its length is."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = MappingProxyType({})


class FaultyServer:
    """A server on a free port of this machine, in threads of its own, until `close` or the end of the `with`.

    What it answers is `reply`; it is called in many threads.

    Example:
        >>> class Hello(FaultyServer):
        ...     def reply(self, method, path, headers, body):
        ...         return Reply(200, b"hello")
        >>> with Hello() as server:
        ...     server.faults.refuse(times=2)
        ...     len(server.faults)
        2
    """

    def __init__(self) -> None:
        self.faults = Faults()
        self.requests: list[Request] = []
        handler = type("Handler", (_Handler,), {"owner": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def reply(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        """The answer to a request. Header names are in lower case."""
        raise NotImplementedError

    def close(self) -> None:
        """Ends the server. What it held is gone."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the game."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    owner: ClassVar[FaultyServer]

    def _handle(self) -> None:
        body = self._body()
        self.owner.requests.append(Request(self.command, self.path, self.headers.get("Range")))
        fault = self.owner.faults.take(self.command)
        if fault and fault.kind == "refuse":
            self._send(Reply(fault.status, fault.body), cut=False)
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.owner.reply(self.command, self.path, headers, body)
        if fault and fault.kind == "lose":
            self.close_connection = True
            return
        self._send(reply, cut=fault is not None)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _handle  # noqa: N815

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        blocks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            blocks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(blocks)

    def _send(self, reply: Reply, cut: bool) -> None:
        self.send_response(reply.status)
        for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body[: len(reply.body) // 2] if cut else reply.body)
        self.close_connection = self.close_connection or cut

    def log_message(self, format: str, *arguments: object) -> None:
        """Silent."""


def cut_out(content: bytes, wanted: str | None, headers: Mapping[str, str]) -> Reply:
    """The answer to a GET with the header Range, or without one: the whole of it, a part, or 416."""
    if not wanted:
        return Reply(200, content, headers)
    first, _, last = wanted.removeprefix("bytes=").partition("-")
    start = int(first) if first else max(0, len(content) - int(last))
    end = min(int(last) + 1, len(content)) if first and last else len(content)
    if start >= len(content) or end <= start:
        return Reply(416, b"", {"Content-Range": f"bytes */{len(content)}"})
    return Reply(206, content[start:end], {**headers, "Content-Range": f"bytes {start}-{end - 1}/{len(content)}"})
