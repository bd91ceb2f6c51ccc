"""The server of `groupstream up`: it waits for its turn to write, answers meanwhile, and checks a schema once."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiosqlite
import httpx
import jsonschema
import pytest
import sqlalchemy as sa
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from prefect.server.database import configurations
from prefect.utilities.schema_tools import validation

from orchestration.server import (
    WAITS,
    AskAgain,
    check_each_schema_once,
    close_what_failed,
    open_connections_as_needed,
    wait_for_the_turn_to_write,
)


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestration.server.WAITS", tuple(0.0 for _ in WAITS))


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


def test_each_schema_is_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The form of a build takes 0.4 s, in which the server answers nobody."""
    validators = (jsonschema.Draft202012Validator, validation._VALIDATOR)
    checked: list[Any] = []
    for validator in validators:
        check = validator.check_schema

        def count(schema: Any, check: Any = check, **options: Any) -> None:
            checked.append(schema)
            check(schema, **options)

        monkeypatch.setattr(validator, "check_schema", count)
    check_each_schema_once()
    for _ in range(3):
        jsonschema.validate({"a": 1}, {"properties": {"a": {"type": "integer"}}})
        validation.validate({"a": 1}, {"properties": {"a": {"type": "integer"}}}, raise_on_error=True)
        with pytest.raises(jsonschema.SchemaError):
            jsonschema.validate({}, {"type": "no type"})
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"a": "b"}, {"properties": {"a": {"type": "integer"}}})
    assert len([each for each in checked if "properties" in each]) == len(validators)
    assert [each for each in checked if "properties" not in each] == [{"type": "no type"}] * 3
