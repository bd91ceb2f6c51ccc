"""A web server that serves a folder, with range requests."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from groupstream.testing.byte_ranges import cut_out
from groupstream.testing.faulty_server import FaultyServer, Reply


class FolderServer(FaultyServer):
    """Serves the files under `folder`.

    Args:
        folder: a fresh look is taken at each request, so files may come and go.
        ranges: whether it answers range requests; simple servers send the whole file instead.

    Example:
        >>> import tempfile, urllib.request
        >>> with tempfile.TemporaryDirectory() as folder, FolderServer(folder) as server:
        ...     _ = (Path(folder) / "x").write_bytes(b"0123456789")
        ...     wanted = urllib.request.Request(f"{server.url}/x", headers={"Range": "bytes=2-4"})
        ...     with urllib.request.urlopen(wanted) as answer:
        ...         answer.read()
        b'234'
    """

    def __init__(self, folder: str | Path, ranges: bool = True) -> None:
        self._folder = Path(folder).resolve()
        self.ranges = ranges
        self.denied: set[str] = set()  # paths, without the slash in front, that are answered with 403
        super().__init__()

    def reply(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        """A file, a range of one, or 404."""
        name = unquote(urlsplit(path).path).lstrip("/")
        file = (self._folder / name).resolve()
        if name in self.denied:
            return Reply(403, b"denied")
        if method not in ("GET", "HEAD"):
            return Reply(405, b"this server is only read")
        if not file.is_relative_to(self._folder) or not file.is_file():
            return Reply(404, b"no such file")
        size = file.stat().st_size
        if method == "HEAD":
            return Reply(200, b"", {"Content-Length": str(size)})
        with open(file, "rb") as opened:

            def read(start: int, end: int) -> bytes:
                opened.seek(start)
                return opened.read(end - start)

            return cut_out(size, read, headers.get("range") if self.ranges else None, {})
