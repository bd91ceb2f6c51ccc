"""Prefect's server as `groupstream up` runs it: it lives with SQLite, which lets one write at a time.

- A transaction that has read may not write once another has written: it fails at once. Who asked for it is answered
  503, "ask again"; an event that it belongs to is tried three times more, then dropped, and an automation with it.
  Here each transaction waits for its turn when it begins.
- Whoever waits too long is answered 503 all the same. Prefect's client asks again; its page does not, and shows
  "Unknown error while creating flow run". Here it is asked again.
- What a statement that failed leaves behind is freed by the garbage collector, in whichever thread. If that is the one
  that answers, it stands still as long as the same connection waits for its turn, and who has the turn cannot end it:
  nobody is answered for 60 s, again and again. Here a statement that failed leaves nothing behind.
- It answers nobody while it checks whether the schema of a form is one. That takes 0.4 s for the form of a build,
  several times at each deployment and at each run. Here each schema is checked once.
- It has 15 connections, all of which may wait for their turn to write. Who only reads then waits for one of them, and
  is answered 500 after 30 s. Here there is no such limit.

On PostgreSQL only the checks of schemas happen, so other servers are started as Prefect says.
"""

from __future__ import annotations

import asyncio
import functools
import json
import sqlite3
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import aiosqlite
import uvicorn
from jsonschema import Draft202012Validator
from prefect.server.api.server import create_app
from prefect.server.database import configurations
from prefect.settings import get_current_settings
from prefect.utilities.schema_tools import validation

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

BUSY = 503  # the transaction was rolled back: nothing was done
WAITS = (0.1, 0.2, 0.4, 0.8, 1.6)  # seconds before each time that it is asked again


class AskAgain:
    """ASGI middleware: gives a request to the app again as long as that answers that it is busy."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Passes on the last answer, and only that."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        request = [await receive()]
        while request[-1].get("more_body"):
            request.append(await receive())
        for wait in WAITS:
            if not await self._is_busy(scope, request, receive, send):
                return None
            await asyncio.sleep(wait)
        return await self._app(dict(scope), _again(request, receive), send)

    async def _is_busy(
        self, scope: MutableMapping[str, Any], request: list[Message], receive: Receive, send: Send
    ) -> bool:
        """Whether it answered that; if not, its answer has been sent."""
        busy = False

        async def send_unless_busy(message: Message) -> None:
            nonlocal busy
            busy = busy or message.get("status") == BUSY
            if not busy:
                await send(message)

        try:
            await self._app(dict(scope), _again(request, receive), send_unless_busy)
        except Exception:
            if not busy:  # else it is what the answer was made of
                raise
        return busy


def _again(request: list[Message], receive: Receive) -> Receive:
    """Receives a request that was received before, then what follows it."""
    messages = iter(request)

    async def receive_again() -> Message:
        message = next(messages, None)
        return await receive() if message is None else message

    return receive_again


def open_connections_as_needed() -> None:
    """Prefect's settings of a pool are those of PostgreSQL's, and are given as before; SQLite's has none."""
    name = "create_async_engine"
    setattr(configurations, name, functools.partial(getattr(configurations, name), max_overflow=-1))


def wait_for_the_turn_to_write() -> None:
    """As Prefect does at some; it begins a transaction for little else than to write.

    One that begins within another, which it would wait for, begins as before.
    """
    begin = configurations.AioSqliteConfiguration.begin_transaction

    @functools.wraps(begin)
    def begin_to_write(self: Any, session: Any, with_for_update: bool = False) -> Any:
        is_first = configurations.SQLITE_BEGIN_MODE.get() is None
        return begin(self, session, with_for_update or is_first)

    setattr(configurations.AioSqliteConfiguration, begin.__name__, begin_to_write)


def close_what_failed() -> None:
    """Until it is closed, a cursor of Python keeps a statement that failed; an exception keeps SQLAlchemy's cursor."""
    for name in ("execute", "executemany"):
        setattr(aiosqlite.Cursor, name, _closing(getattr(aiosqlite.Cursor, name)))


def _closing(execute: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(execute)
    async def execute_or_close(self: aiosqlite.Cursor, *arguments: Any) -> Any:
        try:
            return await execute(self, *arguments)
        except sqlite3.Error:
            await self.close()
            raise

    return execute_or_close


def check_each_schema_once() -> None:
    """One that is none is checked again, and raises again."""
    for validator in (Draft202012Validator, validation._VALIDATOR):
        validator.check_schema = _once(validator.check_schema)


def _once(check: Callable[..., None]) -> Callable[..., None]:
    @functools.lru_cache(maxsize=64)
    def check_text(schema: str) -> None:
        check(json.loads(schema))

    return lambda schema, **_: check_text(json.dumps(schema, sort_keys=True))


def main() -> None:
    """Serves API, page and services where the settings of Prefect say, until a signal ends it."""
    wait_for_the_turn_to_write()
    close_what_failed()
    open_connections_as_needed()
    check_each_schema_once()
    settings = get_current_settings().server
    app = create_app(final=True)
    app.add_middleware(AskAgain)
    uvicorn.run(
        app,
        host=settings.api.host,
        port=settings.api.port,
        timeout_keep_alive=settings.api.keepalive_timeout,
        log_level=settings.logging_level.lower(),
    )


if __name__ == "__main__":
    main()
