"""Connections that keep to the limits of the process, for every library that makes them with urllib3.

That is all of ours: google-cloud-storage and the web by requests, S3 by botocore. So each attempt of a request passes
here, those that the libraries repeat too.
"""

from __future__ import annotations

import functools
import re
import threading
import weakref
from collections.abc import Mapping
from http.client import BAD_REQUEST
from typing import Any

from groupstream.stores.limits import Limits, current_limits

_of_thread = threading.local()  # the permit of the request that is being sent
_RANGE = re.compile(r"bytes=(\d+)-(\d+)")


class _Permit:
    """The right to one connection. It is given back once, and also when nobody holds the connection any more."""

    def __init__(self, connections: threading.BoundedSemaphore) -> None:
        connections.acquire()
        self.give_back = weakref.finalize(self, connections.release)
        self.give_back.atexit = False


class LimitedPool:
    """What a pool of urllib3 does, within the limits."""

    def urlopen(self, method: str, url: str, body: Any = None, headers: Any = None, *args: Any, **options: Any) -> Any:
        """Sends a request when its turn has come. Reading its answer has to wait as well, where it is a long one."""
        limits, headers = current_limits(), {} if headers is None else headers
        expected = _expected_bytes(headers)
        _wait(limits, 1, expected + _sent_bytes(body, headers))
        answer = super().urlopen(method, url, body, headers, *args, **options)
        _of_thread.permit = None  # the connection has it, and gives it back
        if answer.status >= BAD_REQUEST:
            _give_back(getattr(answer, "connection", None))  # short, and often let go unread
        elif method != "HEAD":
            _wait(limits, 0, _length(answer.headers) - expected)
        return answer

    def _get_conn(self, timeout: float | None = None) -> Any:
        connections = current_limits().connections
        permit = _Permit(connections) if connections else None
        connection = super()._get_conn(timeout)
        connection._groupstream_permit = _of_thread.permit = permit
        return connection

    def _put_conn(self, connection: Any) -> None:
        """Is called with None for the connection of this thread that broke."""
        super()._put_conn(connection)
        if connection is not None:
            _give_back(connection)
        elif permit := getattr(_of_thread, "permit", None):
            permit.give_back()


def limited_pools(pool_classes: Mapping[str, type]) -> dict[str, type]:
    """The same classes of pools, within the limits; by the scheme of the URLs, as pool managers have them.

    Raises:
        UsageError: a limit is no number above 0.
    """
    current_limits()
    return {scheme: _limited(pool_class) for scheme, pool_class in pool_classes.items()}


@functools.cache
def limited_adapter() -> type:
    """A class as `requests.adapters.HTTPAdapter`. Needs that library."""
    from requests.adapters import HTTPAdapter

    class LimitedAdapter(HTTPAdapter):
        """Also through a proxy."""

        def init_poolmanager(self, *args: Any, **options: Any) -> None:
            """See HTTPAdapter."""
            super().init_poolmanager(*args, **options)
            self.poolmanager.pool_classes_by_scheme = limited_pools(self.poolmanager.pool_classes_by_scheme)

        def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
            """See HTTPAdapter."""
            manager = super().proxy_manager_for(*args, **options)
            manager.pool_classes_by_scheme = limited_pools(manager.pool_classes_by_scheme)
            return manager

    return LimitedAdapter


@functools.cache
def _limited(pool_class: type) -> type:
    return (
        pool_class if issubclass(pool_class, LimitedPool) else type(pool_class.__name__, (LimitedPool, pool_class), {})
    )


def _give_back(connection: Any) -> None:
    if permit := getattr(connection, "_groupstream_permit", None):
        permit.give_back()


def _wait(limits: Limits, num_requests: int, num_bytes: int) -> None:
    if limits.requests and num_requests:
        limits.requests.take(num_requests)
    if limits.bytes and num_bytes > 0:
        limits.bytes.take(num_bytes)


def _sent_bytes(body: Any, headers: Mapping[str, Any]) -> int:
    return _length(headers) or (len(body) if isinstance(body, bytes | str) else 0)


def _expected_bytes(headers: Mapping[str, Any]) -> int:
    """Of an answer to a range that ends somewhere: all blocks of a pull are such."""
    wanted = next((value for name, value in headers.items() if str(name).lower() == "range"), "")
    match = _RANGE.fullmatch(wanted.decode() if isinstance(wanted, bytes) else str(wanted))
    return int(match[2]) - int(match[1]) + 1 if match else 0


def _length(headers: Mapping[str, Any]) -> int:
    return next((int(value) for name, value in headers.items() if str(name).lower() == "content-length"), 0)
