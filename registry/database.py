"""Opens the database of the registry, and brings it to the newest revision of the tables."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, text

from registry.errors import RegistryError, one_line_errors, shown_url
from registry.retries import retried_opening
from registry.url import parse_url

if TYPE_CHECKING:
    from alembic.config import Config

BUSY_TIMEOUT_SECONDS = 30
REVISION_TABLE = "registry_revision"  # not Alembic's default, which Prefect uses: both may share a database
READS: dict[str, dict[str, Any]] = {  # execution options of transactions that only read
    "sqlite": {"groupstream_reads": True},
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
}
_LOCK_KEY = 0x67726F7570  # "group": the advisory lock of whoever migrates
_MIGRATIONS = Path(__file__).parent / "migrations"
_ONE_THREAD = threading.Lock()  # Alembic keeps its context in a global of the process


def open_engine(url: str) -> Engine:
    """Opens the database, with its tables at the newest revision. Many processes may do so at once.

    Raises:
        RegistryError: it cannot be opened or written, or newer code has migrated it.
    """
    return _opened(parse_url(url))


@retried_opening
def _opened(parsed: URL) -> Engine:
    with one_line_errors(parsed):
        engine = _sqlite_engine(parsed) if parsed.get_backend_name() == "sqlite" else _postgresql_engine(parsed)
        try:
            migrate(engine)
        except BaseException:
            engine.dispose()
            raise
    return engine


def migrate(engine: Engine) -> None:
    """Brings the tables to the newest revision, in one transaction that others wait for.

    Raises:
        RegistryError: the database is at a revision that this code does not know.
    """
    from alembic import command
    from alembic.script import ScriptDirectory

    with _ONE_THREAD, migrating(engine) as connection:
        config = migration_config(connection)
        scripts = ScriptDirectory.from_config(config)
        current = _current_revision(connection)
        _refuse_unknown(engine.url, current, {script.revision for script in scripts.walk_revisions()})
        if current != scripts.get_current_head():
            command.upgrade(config, "head")


@contextmanager
def migrating(engine: Engine) -> Iterator[Connection]:
    """A transaction that no other process migrates in, and in which SQLite lets a table be rebuilt."""
    with engine.connect() as connection:
        _set_foreign_keys(connection, on=False)
        try:
            with connection.begin():
                if connection.dialect.name == "postgresql":
                    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
                yield connection
        finally:
            _set_foreign_keys(connection, on=True)


def migration_config(connection: Connection) -> Config:
    """Alembic's configuration, without a file. `migrations/env.py` takes the connection from it."""
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def _current_revision(connection: Connection) -> str | None:
    from alembic.migration import MigrationContext

    return MigrationContext.configure(connection, opts={"version_table": REVISION_TABLE}).get_current_revision()


def _refuse_unknown(url: URL, current: str | None, known: set[str]) -> None:
    if current is not None and current not in known:
        raise RegistryError(
            f"registry {shown_url(url)} is at revision {current}, and this code knows up to {max(known)}: newer code "
            "has migrated it. Run the newer groupstream-platform, or set GROUPSTREAM_REGISTRY_URL to another registry"
        )


def _postgresql_engine(url: URL) -> Engine:
    return create_engine(url, pool_pre_ping=True, hide_parameters=True)


def _sqlite_engine(url: URL) -> Engine:
    """isolation_level None: Python's own would begin a transaction late, after the read that it depends on."""
    if url.database and url.database != ":memory:" and not url.database.startswith("file:"):
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    arguments = {"isolation_level": None, "timeout": BUSY_TIMEOUT_SECONDS}
    engine = create_engine(url, connect_args=arguments, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _: Any) -> None:
    connection.execute("PRAGMA foreign_keys=ON")
    _switch_to_wal(connection)


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Readers then do not wait for a writer. SQLite does not wait for a lock to do this, so we do."""
    deadline = time.monotonic() + BUSY_TIMEOUT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _begin(connection: Connection) -> None:
    """Takes the write lock first: two that read and then write would otherwise fail instead of wait."""
    only_reads = connection.get_execution_options().get("groupstream_reads", False)
    connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")


def _set_foreign_keys(connection: Connection, on: bool) -> None:
    """SQLite rebuilds a table to change it, and cannot drop one that others refer to. No effect in a transaction."""
    if connection.dialect.name == "sqlite":
        driver: Any = connection.connection.driver_connection
        driver.execute(f"PRAGMA foreign_keys={'ON' if on else 'OFF'}")
