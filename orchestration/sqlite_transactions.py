"""Prefect's transactions on SQLite, which lets one write at a time: they wait for their turn, and leave nothing behind.

- A transaction that has read may not write once another has written: it fails at once. Who asked for it is answered
  503, "ask again"; an event that it belongs to is tried three times more, then dropped, and an automation with it.
  Here each transaction waits for its turn when it begins.
- What a statement that failed leaves behind is freed by the garbage collector, in whichever thread. If that is the one
  that answers, it stands still as long as the same connection waits for its turn, and who has the turn cannot end it:
  nobody is answered for 60 s, again and again. Here a statement that failed leaves nothing behind.
- Prefect has 15 connections, all of which may wait for their turn to write. Who only reads then waits for one of them,
  and is answered 500 after 30 s. Here there is no such limit.
"""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

import aiosqlite
from prefect.server.database import configurations


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
