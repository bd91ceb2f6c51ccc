"""Versions on a web server. They can be read there, nothing else."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from http.client import FORBIDDEN, NOT_FOUND, OK, PARTIAL_CONTENT, UNAUTHORIZED
from http.client import REQUESTED_RANGE_NOT_SATISFIABLE as RANGE_NOT_SATISFIABLE
from pathlib import Path
from typing import Any
from urllib.parse import quote

from groupstream.errors import PublishError, UsageError
from groupstream.stores.address import parse_address
from groupstream.stores.body import BLOCK_BYTES, Answer, byte_range, read_body
from groupstream.stores.failures import ATTEMPTS, NUM_CONNECTIONS, Failure, missing, missing_extra, unreachable
from groupstream.stores.limited_pools import limited_adapter
from groupstream.stores.per_process import PerProcess
from groupstream.stores.store import StoredObject, Tagged

_PASSING = (408, 429, 500, 502, 503, 504)
_TIMEOUT_SECONDS = (10, 60)  # to connect, and between two pieces of an answer


class HttpStore:
    """Files under `https://host/prefix`. Threads may share it; it can be pickled, and used after a fork.

    The server must answer range requests, as nginx, Caddy and all buckets do. A web server does not say which
    folders it has, so datasets are found by the catalogs there; where there is none, `name@1.0.0` is found still, and
    so is a version's full address.
    Proxies, ~/.netrc and $REQUESTS_CA_BUNDLE are used as requests uses them.

    Args:
        attempts: how often a request that fails for a passing reason is made.
    """

    def __init__(self, root: str, attempts: int = ATTEMPTS) -> None:
        self._address = parse_address(root)
        self._attempts = attempts
        self._session = PerProcess(functools.partial(_session, str(self._address), attempts), _close)

    @property
    def root(self) -> str:
        """`https://host/prefix`."""
        return str(self._address)

    def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        """See `Store.read`."""
        if length == 0:
            return b""
        self._session()  # says what is missing where requests is not installed
        try:
            return read_body(lambda have: self._answer(path, offset, length, have), _cuts(), self._attempts).content
        except _cuts() as error:
            raise unreachable(error).on_reading(self._where(path)) from error

    def size_bytes(self, path: str) -> int | None:
        """See `Store.size_bytes`."""
        found = self.stat(path)
        return None if found is None else found.size_bytes

    def stat(self, path: str) -> StoredObject | None:
        """See `Store.stat`. The checksum is the server's strong ETag, if it sends one."""
        answer = self._ask("HEAD", path, {})
        if answer.status_code == NOT_FOUND:
            return None
        if answer.status_code != OK or "Content-Length" not in answer.headers:
            raise _explain(answer).on_reading(self._where(path))
        etag = answer.headers.get("ETag", "")
        strong = None if etag.startswith("W/") or not etag else "etag:" + etag.strip('"')
        return StoredObject(path, int(answer.headers["Content-Length"]), strong)

    def folders(self, path: str) -> list[str]:
        """Refused: a web server does not say which folders it has."""
        raise UsageError(
            f"{self.root} cannot list its datasets, as it is a web server; name a version with its number, such as "
            f"text@1.0.0, or by its full address, such as {self.root}/text/1.0.0"
        )

    def objects(self, path: str) -> Iterator[StoredObject]:
        """Refused: a web server does not say which files it has."""
        raise UsageError(
            f"{self._where(path)} cannot be listed, as it is on a web server; name each file, or use a folder, "
            "gs:// or s3://"
        )

    def put_if_absent(self, path: str, source: bytes | Path, crc32c: str | None = None) -> bool:
        """Refused: a web server is only read."""
        raise self._not_written(path)

    def replace(self, path: str, content: bytes) -> None:
        """Refused: a web server is only read."""
        raise self._not_written(path)

    def read_tagged(self, path: str) -> Tagged | None:
        """See `Store.read_tagged`. The tag is of no use, as nothing can be written."""
        try:
            return Tagged(self.read(path), "")
        except FileNotFoundError:
            return None

    def swap(self, path: str, content: bytes, tag: str | None) -> bool:
        """Refused: a web server is only read."""
        raise self._only_read(path)

    def copy_if_absent(self, source_path: str, path: str) -> bool:
        """Refused: a web server is only read."""
        raise self._only_read(path)

    def delete(self, path: str) -> None:
        """Refused: a web server is only read."""
        raise self._only_read(path)

    def _not_written(self, path: str) -> PublishError:
        return PublishError(
            f"cannot write {self._where(path)}: a web server is only read. Publish to a folder, gs:// or s3://, "
            "and open a version there by its full address"
        )

    def _only_read(self, path: str) -> UsageError:
        return UsageError(
            f"cannot change {self._where(path)}: a web server is only read. Use a folder, gs:// or s3:// instead"
        )

    def _answer(self, path: str, offset: int, length: int | None, have: int) -> Answer:
        """The answer with what follows the first bytes of a range, or of the whole."""
        is_part = bool(offset or length is not None)
        rest = None if length is None else length - have
        answer = self._ask("GET", path, {"Range": byte_range(offset + have, rest)} if is_part or have else {})
        if answer.status_code == RANGE_NOT_SATISFIABLE:  # it begins at the end of the file, or after it
            answer.close()
            return Answer(iter(()), "", have)
        if answer.status_code == NOT_FOUND or answer.status_code not in (PARTIAL_CONTENT, *([] if is_part else [OK])):
            answer.close()
            where = self._where(path)
            raise missing(where) if answer.status_code == NOT_FOUND else _explain(answer).on_reading(where)
        return Answer(_blocks(answer), _tag(answer), have if answer.status_code == PARTIAL_CONTENT else 0)

    def _ask(self, method: str, path: str, headers: dict[str, str]) -> Any:
        session = self._session()
        url = f"{quote(self.root, safe=':/%[]@')}/{quote(path)}"  # the root is typed as an address, the path is a name
        try:
            return session.request(method, url, headers=headers, stream=method == "GET", timeout=_TIMEOUT_SECONDS)
        except OSError as error:
            raise unreachable(error).on_reading(self._where(path)) from error

    def _where(self, path: str) -> str:
        return f"{self.root}/{path}"


def _blocks(answer: Any) -> Iterator[bytes]:
    with answer:
        yield from answer.iter_content(BLOCK_BYTES)


def _tag(answer: Any) -> str:
    """What tells whether a file is still the same, as far as the server says: its ETag or its date, and its size."""
    size = answer.headers.get("Content-Range", "").rpartition("/")[2] or answer.headers.get("Content-Length", "")
    return f"{answer.headers.get('ETag') or answer.headers.get('Last-Modified', '')} {size}"


def _session(root: str, attempts: int) -> Any:
    try:
        import requests
    except ImportError as error:
        raise missing_extra(root, "http") from error
    from urllib3.util import Retry

    retries = Retry(attempts - 1, backoff_factor=0.1, status_forcelist=_PASSING, raise_on_status=False)
    session = requests.Session()
    session.headers["Accept-Encoding"] = "identity"  # ranges are of the bytes as they are stored
    for scheme in ("http://", "https://"):
        session.mount(scheme, limited_adapter()(pool_maxsize=NUM_CONNECTIONS, max_retries=retries))
    return session


def _close(session: Any) -> None:
    session.close()


def _explain(answer: Any) -> Failure:
    status = f"{answer.status_code} {answer.reason}"
    if answer.status_code == OK:
        return Failure("the server does not answer range requests", "Serve it with one that does, such as nginx")
    if answer.status_code in (UNAUTHORIZED, FORBIDDEN):
        return Failure(f"permission denied ({status})", "Ask its owner for access, or write the password to ~/.netrc")
    return Failure(f"the server answered {status}", "Try again later")


def _cuts() -> tuple[type[Exception], ...]:
    """What reading the rest of an answer raises where the connection ends before it."""
    from requests.exceptions import ChunkedEncodingError, ConnectionError

    return ChunkedEncodingError, ConnectionError
