"""A server over real HTTP whose connections fail as those of a network do."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

from groupstream.testing.faults import Fault, Faults

_NO_LINGER = struct.pack("ii", 1, 0)  # a socket that is closed so sends RST, and forgets what it has not sent
_WRITE_BYTES = 256 << 10
_DRIBBLES = 8


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

    Attributes:
        faults: takes what shall go wrong.
        requests: what was asked.
        body_bytes: of all answers, as far as they were begun to be sent.

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
        self.body_bytes = 0
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
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

    def take_part(self, method: str, path: str, headers: dict[str, str], part: bytes) -> Reply | None:
        """What the server makes of a request of which only a part arrived, and its answer. None: nothing."""
        return None

    def hang_up(self) -> int:
        """Resets all connections that are open, whatever is on its way. How many there were."""
        with self._lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):  # it is being closed
                    _without_linger(connection)
                    connection.shutdown(socket.SHUT_RDWR)  # wakes the thread that has it, which closes it
            return len(self._connections)

    def close(self) -> None:
        """Ends the server. What it held is gone."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _opened(self, connection: socket.socket) -> None:
        with self._lock:
            self._connections.add(connection)

    def _closed(self, connection: socket.socket) -> None:
        with self._lock:
            self._connections.discard(connection)

    def _sends(self, num_bytes: int) -> None:
        with self._lock:
            self.body_bytes += num_bytes


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the game."""

    def shutdown_request(self, request: Any) -> None:
        """Without the goodbye of a connection that ends well, where it is to be reset."""
        if request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(_NO_LINGER)) == _NO_LINGER:
            self.close_request(request)
        else:
            super().shutdown_request(request)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    owner: ClassVar[FaultyServer]

    def setup(self) -> None:
        super().setup()
        self.owner._opened(self.connection)

    def finish(self) -> None:
        self.owner._closed(self.connection)
        super().finish()

    def _handle(self) -> None:
        self.owner.requests.append(Request(self.command, self.path, self.headers.get("Range")))
        fault = self.owner.faults.take(self.command, self.path)
        if fault and fault.kind == "reset":
            self._reset()
            return
        if fault and fault.kind == "cut_upload":
            self._cut_upload()
            return
        body = self._body()
        if fault and fault.kind == "refuse":
            self._send(Reply(fault.status, fault.body, fault.headers))
            return
        self._answer(body, fault or Fault("none"))

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _handle  # noqa: N815

    def _answer(self, body: bytes, fault: Fault) -> None:
        request = (self.command, self.path, self._named())
        part = self.owner.take_part(*request, body[: len(body) // 2]) if fault.kind == "keep_part" else None
        reply = part or self.owner.reply(*request, body)
        if fault.kind == "lose":
            self.close_connection = True
        else:
            self._send(reply, cut=fault.kind == "cut", seconds=fault.seconds if fault.kind == "slow" else 0)

    def _cut_upload(self) -> None:
        """Reads half of the request, and resets the connection."""
        length = int(self.headers.get("Content-Length") or 0)
        self.owner.take_part(self.command, self.path, self._named(), self.rfile.read(length // 2))
        self._reset()

    def _named(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.headers.items()}

    def _reset(self) -> None:
        _without_linger(self.connection)
        self.close_connection = True

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            length = int(self.headers.get("Content-Length") or 0)
            return self._whole(self.rfile.read(length), length)
        blocks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            blocks.append(self._whole(self.rfile.read(size), size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(blocks)

    def _whole(self, content: bytes, length: int) -> bytes:
        """A request whose end did not come is not carried out."""
        if len(content) != length:
            raise ConnectionResetError("the client hung up")
        return content

    def _send(self, reply: Reply, cut: bool = False, seconds: float = 0) -> None:
        self.send_response(reply.status)
        for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = self.close_connection or cut
        if self.command != "HEAD":
            body = memoryview(reply.body)
            self._write(body[: len(body) // 2] if cut else body, seconds)

    def _write(self, body: memoryview, seconds: float) -> None:
        size = max(1, -(-len(body) // _DRIBBLES)) if seconds else _WRITE_BYTES
        for start in range(0, len(body), size):
            if seconds:
                time.sleep(seconds / _DRIBBLES)
            self.owner._sends(len(body[start : start + size]))
            self.wfile.write(body[start : start + size])

    def log_message(self, format: str, *arguments: object) -> None:
        """Silent."""


def _without_linger(connection: socket.socket) -> None:
    """Whoever closes it resets it."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
