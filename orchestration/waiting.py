"""Whether a server or a worker is ready, asked over HTTP without loading Prefect."""

from __future__ import annotations

import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import datetime
from typing import Any

from groupstream import GroupstreamError, UsageError
from orchestration.environment import HOST
from orchestration.processes import KeptProcess, last_lines

START_SECONDS = 600  # a new database must be migrated first, on whatever machine
_PAUSE = 0.2
_TIMEOUT = 10


def refuse_taken_port(port: int) -> None:
    """Raises where something listens on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise UsageError(
                f"port {port} of {HOST} cannot be taken: {error.strerror}; name a free one, such as --port {port + 1}"
            ) from error


def wait_until(ready: Callable[[], bool], process: KeptProcess) -> None:
    """Waits for what a process that has just been started should bring about.

    Raises:
        GroupstreamError: it has ended instead, or takes longer than ten minutes; the message has the end of its log.
    """
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        if process.pid is None:
            raise GroupstreamError(f"the {process.name} ended at once: {last_lines(process.log)}; log: {process.log}")
        if time.monotonic() > deadline:
            raise GroupstreamError(f"the {process.name} is not there after {START_SECONDS} s; log: {process.log}")
        time.sleep(_PAUSE)


def is_healthy(api: str) -> bool:
    """Whether the server answers."""
    return _ask(f"{api}/health") is True


def is_polling(api: str, pool: str, worker: str, since: datetime) -> bool:
    """Whether a worker of this name has asked the server for runs since then."""
    found = _ask(f"{api}/work_pools/{pool}/workers/filter", {}) or []
    beats = [each.get("last_heartbeat_time") for each in found if each.get("name") == worker]
    return any(beat and datetime.fromisoformat(beat) >= since for beat in beats)


def _ask(url: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code < 500:
            raise
        return None
    except (OSError, ValueError):
        return None
