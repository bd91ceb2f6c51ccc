"""Asks a Prefect server, and again where its database was busy: on SQLite it answers so now and then."""

from __future__ import annotations

import time
from typing import Any

import httpx

BUSY = (500, 503)  # no connection to its database was free; another one was writing
SECONDS = 120


def post(server: str, path: str, body: dict[str, Any]) -> Any:
    """What it answers to a request such as post(server, "logs/filter", {})."""
    deadline = time.monotonic() + SECONDS
    while True:
        answer = httpx.post(f"{server}/{path}", json=body, timeout=SECONDS)
        if answer.status_code not in BUSY or time.monotonic() > deadline:
            answer.raise_for_status()
            return answer.json() if answer.content else None
        time.sleep(0.5)
