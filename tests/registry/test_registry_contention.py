"""Who waits for whom. What fails for a passing reason is done again inside; what fails for a real one is not."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import event, make_url

from groupstream.catalog import DatasetCatalog
from groupstream.manifest import Manifest
from registry import Registry, RegistryError, database


@pytest.fixture
def postgresql_url(postgresql: Callable[..., str]) -> str:
    return postgresql()


@pytest.fixture
def outsider(postgresql_url: str) -> Iterator[psycopg.Connection]:
    """Another client of the database."""
    with closing(psycopg.connect(postgresql_url.replace("+psycopg", ""))) as connection:
        yield connection


@contextmanager
def in_thread(method: Callable[..., Any], *arguments: Any) -> Iterator[Future[Any]]:
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(method, *arguments)


def wait_for_blocked(url: str) -> int:
    """The process of the server that waits for a lock."""
    query = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    deadline = time.monotonic() + 20
    with closing(psycopg.connect(url.replace("+psycopg", ""), autocommit=True)) as connection:
        while time.monotonic() < deadline:
            if row := connection.execute(query).fetchone():
                return int(row[0])
            time.sleep(0.01)
    raise TimeoutError("nobody waits for a lock")


def watch(registry: Registry) -> list[Any]:
    """Grows with every transaction that is tried: each takes a connection from the pool."""
    tried: list[Any] = []
    event.listen(registry._engine, "checkout", lambda *connection: tried.append(connection[0]))
    return tried


@pytest.mark.integration
def test_connection_that_is_cut_amid_a_transaction(
    postgresql_url: str, outsider: psycopg.Connection, make_catalog: Callable[..., DatasetCatalog]
):
    with closing(Registry(postgresql_url)) as registry:
        registry.sync_catalog("/data", make_catalog("1.0.0"))
        outsider.execute("SELECT * FROM datasets FOR UPDATE")
        with in_thread(registry.sync_catalog, "/data", make_catalog("1.0.0", "1.1.0")) as copied:
            outsider.execute("SELECT pg_terminate_backend(%s)", [wait_for_blocked(postgresql_url)])
            outsider.commit()
            copied.result(timeout=30)
        assert registry.aliases("/data", "fedwiki") == {"latest": "1.1.0"}


@pytest.mark.integration
def test_deadlock(postgresql_url: str, outsider: psycopg.Connection, make_catalog: Callable[..., DatasetCatalog]):
    lock = "SELECT * FROM versions WHERE version = %s FOR UPDATE"
    with closing(Registry(postgresql_url)) as registry:
        registry.sync_catalog("/data", make_catalog("1.0.0", "1.1.0"))
        tried = watch(registry)
        outsider.execute(lock, ["1.1.0"])
        with in_thread(registry.sync_catalog, "/data", make_catalog("1.0.0", "1.1.0", "1.2.0")) as copied:
            wait_for_blocked(postgresql_url)  # it has locked 1.0.0, and waits for 1.1.0
            outsider.execute(lock, ["1.0.0"])  # after a second, the server ends the one that has waited longest
            assert len(tried) == 1
            outsider.commit()
            copied.result(timeout=30)
        assert len(tried) > 1
        assert registry.aliases("/data", "fedwiki") == {"latest": "1.2.0"}


@pytest.mark.integration
def test_older_catalog_that_comes_amid_the_copy_of_a_newer_one_changes_nothing(
    postgresql_url: str, outsider: psycopg.Connection, make_catalog: Callable[..., DatasetCatalog]
):
    newer = make_catalog("1.0.0").model_copy(update={"revision": 9})
    with closing(Registry(postgresql_url)) as registry:
        registry.sync_catalog("/data", make_catalog("1.0.0", "1.1.0"))
        outsider.execute("SELECT * FROM versions FOR UPDATE")
        with in_thread(registry.sync_catalog, "/data", newer) as newer_copied:
            wait_for_blocked(postgresql_url)
            with in_thread(registry.sync_catalog, "/data", make_catalog("1.0.0", "1.1.0", "1.2.0")) as older_copied:
                time.sleep(0.3)
                outsider.commit()
                newer_copied.result(timeout=30)
                older_copied.result(timeout=30)
        (dataset,) = registry.datasets()
        assert (dataset.catalog_revision, dataset.aliases) == (9, {"latest": "1.0.0"})


@pytest.mark.integration
def test_serialization_failures(postgresql_url: str):
    """Each reads what another one has written since: under this isolation, PostgreSQL lets one of them win."""
    url = f"{postgresql_url}&options=-c%20default_transaction_isolation%3Dserializable"
    with closing(Registry(url)) as registry, ThreadPoolExecutor(8) as pool:
        registry.start_run("same", "/data", "fedwiki", "d1")
        tried = watch(registry)
        for each in [pool.submit(registry.start_run, "same", "/data", "fedwiki", f"d{i}") for i in range(40)]:
            each.result(timeout=60)
        assert len(tried) > 40
        assert [run.id for run in registry.runs()] == ["same"]


@pytest.mark.integration
def test_server_that_does_not_answer_for_a_while(postgresql_url: str):
    host = make_url(postgresql_url).query["host"]
    socket = next(Path(str(host)).glob(".s.PGSQL.*[0-9]"))
    with closing(Registry(postgresql_url)) as registry:
        registry.start_run("r1", "/data", "fedwiki", "d1")
        registry.close()  # its connections; it opens new ones
        hidden = socket.rename(socket.with_name("hidden"))
        try:
            with in_thread(registry.runs) as found:
                time.sleep(0.3)
                hidden.rename(socket)
                assert [run.id for run in found.result(timeout=30)] == ["r1"]
        finally:
            if hidden.exists():
                hidden.rename(socket)


def test_sqlite_file_that_another_process_writes_for_long(
    sqlite_registry: Registry, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(database, "BUSY_TIMEOUT_SECONDS", 0.05)
    writer = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False)
    with closing(Registry(sqlite_url)) as impatient:
        tried = watch(impatient)
        writer.execute("BEGIN IMMEDIATE")
        threading.Timer(0.5, writer.close).start()
        impatient.start_run("r1", "/data", "fedwiki", "d1")
        assert len(tried) > 1
    assert [run.id for run in sqlite_registry.runs()] == ["r1"]


def test_sqlite_reader_waits_for_no_writer(sqlite_registry: Registry, sqlite_url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(database, "BUSY_TIMEOUT_SECONDS", 0)
    with (
        closing(Registry(sqlite_url)) as impatient,
        closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)) as writer,
    ):
        tried = watch(impatient)
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO datasets VALUES (1, '/data', 'fedwiki', 0, '2024-01-01 00:00:00.000000')")
        assert impatient.datasets() == impatient.versions() == impatient.runs() == []
        assert len(tried) == 3


@pytest.mark.integration
def test_what_is_read_cannot_be_written(postgresql_url: str):
    """A transaction that only reads says so to PostgreSQL."""
    with (
        closing(Registry(postgresql_url)) as registry,
        pytest.raises(RegistryError, match="read-only transaction"),
        registry._reading() as session,
    ):
        session.execute(database.text("DELETE FROM runs"))


def test_real_error_is_not_tried_again(registry: Registry, make_manifest: Callable[..., Manifest]):
    tried = watch(registry)
    with pytest.raises(RegistryError, match="not in registry"):
        registry.finish_run("r9", "failed")
    with registry._writing() as session:
        session.execute(database.text("DROP TABLE metrics"))
    with pytest.raises(RegistryError, match=r"metrics\W+(does not exist)?"):
        registry.metrics("r1")
    assert len(tried) == 3
