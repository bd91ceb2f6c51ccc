"""Prefect's transactions on SQLite wait for their turn to write; one that failed stops nobody."""

from __future__ import annotations

import asyncio
import gc
from contextlib import AsyncExitStack
from pathlib import Path

import aiosqlite
import pytest
import sqlalchemy as sa
from prefect.server.database import configurations

from orchestration.sqlite_transactions import (
    close_what_failed,
    open_connections_as_needed,
    wait_for_the_turn_to_write,
)


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> configurations.AioSqliteConfiguration:
    """As Prefect's server has it; what a test changes of the classes is undone."""
    begin = configurations.AioSqliteConfiguration.begin_transaction
    monkeypatch.setattr(configurations.AioSqliteConfiguration, "begin_transaction", begin)
    monkeypatch.setattr(aiosqlite.Cursor, "execute", aiosqlite.Cursor.execute)
    monkeypatch.setattr(aiosqlite.Cursor, "executemany", aiosqlite.Cursor.executemany)
    return configurations.AioSqliteConfiguration(f"sqlite+aiosqlite:///{tmp_path}/server.db")


def test_a_transaction_that_read_first_may_write(database: configurations.AioSqliteConfiguration) -> None:
    """With Prefect's own the second fails at once: what it read has changed when it writes."""
    wait_for_the_turn_to_write()

    async def add_one() -> None:
        session = await database.session(await database.engine())
        async with session, database.begin_transaction(session):
            count = (await session.execute(sa.text("SELECT number FROM counts"))).scalar()
            await asyncio.sleep(0.1)
            await session.execute(sa.text(f"UPDATE counts SET number = {count + 1}"))

    async def add_at_once() -> int:
        engine = await database.engine()
        async with engine.begin() as connection:
            await connection.execute(sa.text("CREATE TABLE counts AS SELECT 0 AS number"))
        await asyncio.gather(*(add_one() for _ in range(5)))
        async with engine.connect() as connection:
            return (await connection.execute(sa.text("SELECT number FROM counts"))).scalar()

    assert asyncio.run(add_at_once()) == 5


def test_a_transaction_within_another_does_not_wait_for_it(database: configurations.AioSqliteConfiguration) -> None:
    wait_for_the_turn_to_write()

    async def read_within() -> int:
        engine = await database.engine()
        outer, inner = await database.session(engine), await database.session(engine)
        async with outer, database.begin_transaction(outer), inner, database.begin_transaction(inner):
            await outer.execute(sa.text("CREATE TABLE counts AS SELECT 0 AS number"))
            return (await inner.execute(sa.text("SELECT 7"))).scalar()

    assert asyncio.run(asyncio.wait_for(read_within(), 30)) == 7


def test_what_failed_does_not_stop_the_server(database: configurations.AioSqliteConfiguration) -> None:
    """The garbage of a failed statement is freed while its connection waits for the turn of one who needs this thread.

    With Prefect's own the thread then waits as long as that connection does, and what it waited for fails.
    """
    close_what_failed()

    async def write_after_failing() -> None:
        engine = await database.engine()
        insert, wait = sa.text("INSERT INTO counts VALUES (1)"), "PRAGMA busy_timeout = "
        async with engine.connect() as first, engine.connect() as second:
            await first.execute(sa.text("CREATE TABLE counts (number)"))
            await first.execute(sa.text("BEGIN IMMEDIATE"))
            await second.execute(sa.text(f"{wait} 0"))
            with pytest.raises(sa.exc.OperationalError, match="locked") as failed:
                await second.execute(insert)
            garbage = [failed.value]
            garbage.append(garbage)
            del failed, garbage
            await second.execute(sa.text(f"{wait} 5000"))
            waiting = asyncio.create_task(second.execute(insert))
            await asyncio.sleep(0.5)
            gc.collect()
            await first.execute(sa.text("COMMIT"))
            await waiting

    asyncio.run(write_after_failing())


def test_as_many_transactions_are_open_as_are_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With Prefect's own limit the 16th waits for 30 s, and fails."""
    monkeypatch.setitem(vars(configurations), "create_async_engine", vars(configurations)["create_async_engine"])
    open_connections_as_needed()

    async def open_at_once() -> None:
        engine = await configurations.AioSqliteConfiguration(f"sqlite+aiosqlite:///{tmp_path}/server.db").engine()
        async with AsyncExitStack() as stack:
            for _ in range(16):
                await stack.enter_async_context(engine.begin())

    asyncio.run(open_at_once())
