"""Asks a Prefect server, and again where its database was busy: on SQLite it answers so now and then."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import httpx

from tests.waiting import LONG

BUSY = 503  # another one was writing: nothing was done
FAILED = 500  # such as no connection to its database was free; what was done is not known
ANSWER_SECONDS = 60


def ask(method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
    """What it answers to a request such as ask("POST", f"{api}/logs/filter", {}); what only looks is asked again."""
    only_looks = method == "GET" or url.endswith("/filter")
    patience = ANSWER_SECONDS if only_looks else LONG
    deadline = time.monotonic() + LONG
    while True:
        try:
            answer = httpx.request(method, url, json=body, headers=headers, timeout=patience)
        except httpx.ReadTimeout:
            if not only_looks or time.monotonic() > deadline:
                raise
            continue
        again = answer.status_code == BUSY or (only_looks and answer.status_code == FAILED)
        if not again or time.monotonic() > deadline:
            assert answer.is_success, f"{method} {url}: {answer.status_code} {answer.text[:2000]}"
            return answer.json() if answer.content else None
        time.sleep(0.5)


def post(server: str, path: str, body: Any) -> Any:
    """What the server at this address of an API answers to a request such as post(api, "logs/filter", {})."""
    return ask("POST", f"{server}/{path}", body)
