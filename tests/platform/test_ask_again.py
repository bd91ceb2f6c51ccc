"""Who asks a server that is busy sees nothing of it, unless it stays so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from orchestration.ask_again import WAITS, AskAgain


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestration.ask_again.WAITS", tuple(0.0 for _ in WAITS))


def app_that_is_busy(num_times: int, bodies: list[bytes]) -> FastAPI:
    """As Prefect's: its own API is mounted in it, and what goes wrong there is an exception that has been answered."""
    api, app = FastAPI(), FastAPI()

    async def answer(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": str(error)}, 503 if isinstance(error, OSError) else 500)

    api.add_exception_handler(Exception, answer)

    @api.post("/runs")
    async def create(request: Request) -> JSONResponse:
        bodies.append(await request.body())
        if bodies[-1] == b"wrong":
            raise ValueError("not that")
        if len(bodies) <= num_times:
            raise OSError("database is locked")
        return JSONResponse({"id": len(bodies)}, 201)

    app.mount("/api", api)
    app.add_middleware(AskAgain)
    return app


def post(app: FastAPI, content: Any) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            return await client.post("/api/runs", content=content)

    return asyncio.run(ask())


@pytest.mark.parametrize("num_times", [0, 1, len(WAITS)])
def test_who_asks_sees_nothing_of_it(num_times: int) -> None:
    bodies: list[bytes] = []
    answer = post(app_that_is_busy(num_times, bodies), b"the whole body")
    assert (answer.status_code, answer.json()) == (201, {"id": num_times + 1})
    assert bodies == [b"the whole body"] * (num_times + 1)


def test_one_that_stays_busy_says_so() -> None:
    bodies: list[bytes] = []
    assert post(app_that_is_busy(100, bodies), b"body").status_code == 503
    assert len(bodies) == len(WAITS) + 1


def test_what_is_wrong_is_asked_for_once() -> None:
    bodies: list[bytes] = []
    assert post(app_that_is_busy(0, bodies), b"wrong").status_code == 500
    assert bodies == [b"wrong"]


def test_a_body_that_comes_in_parts_comes_whole() -> None:
    bodies: list[bytes] = []
    receive = [{"type": "http.request", "body": b"in ", "more_body": True}, {"type": "http.request", "body": b"parts"}]
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def next_message() -> Any:
        return receive.pop(0) if receive else {"type": "http.disconnect"}

    scope = {"type": "http", "method": "POST", "path": "/api/runs", "headers": [], "query_string": b"", "root_path": ""}
    ask: Callable[..., Awaitable[None]] = app_that_is_busy(1, bodies)
    asyncio.run(ask(scope, next_message, send))
    assert bodies == [b"in parts"] * 2 and next(each.get("status") for each in sent) == 201
