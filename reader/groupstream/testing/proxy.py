"""Another server, with faults in between."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

from groupstream.testing.faulty_server import FaultyServer, Reply

_OF_ONE_CONNECTION = {"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"}


class Proxy(FaultyServer):
    """Passes requests on to the server at `backend`, such as `http://127.0.0.1:5000`, and its answers back.

    The header Host is passed on as it came, so signed requests stay valid.
    """

    def __init__(self, backend: str) -> None:
        self._backend = urlsplit(backend).netloc
        super().__init__()

    def reply(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        """The answer of the other server."""
        passed = {name: value for name, value in headers.items() if name not in ("expect", "transfer-encoding")}
        connection = http.client.HTTPConnection(self._backend, timeout=60)
        try:
            connection.request(method, path, body, {**passed, "content-length": str(len(body)), "connection": "close"})
            answer = connection.getresponse()
            length = answer.getheader("Content-Length")
            content = answer.read()
        finally:
            connection.close()
        kept = {name: value for name, value in answer.getheaders() if name.lower() not in _OF_ONE_CONNECTION}
        return Reply(answer.status, content, kept | ({"Content-Length": length} if length and method == "HEAD" else {}))
