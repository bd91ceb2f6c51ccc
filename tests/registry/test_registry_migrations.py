from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

from groupstream.manifest import Manifest
from registry import Registry, RegistryError
from registry.database import REVISION_TABLE, migrate, migrating, migration_config, open_engine
from registry.models import Base

TABLES = {"datasets", "versions", "runs", "aliases", "alias_moves", "run_inputs", "metrics", "pulls"}


@pytest.fixture
def sqlite_engine(sqlite_url: str) -> Iterator[Engine]:
    opened = open_engine(sqlite_url)
    yield opened
    opened.dispose()


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    opened = open_engine(url)
    yield opened
    opened.dispose()


def test_migrations_go_down_and_up_again(engine: Engine):
    assert set(inspect(engine).get_table_names()) == {*TABLES, REVISION_TABLE}
    with migrating(engine) as connection:
        command.downgrade(migration_config(connection), "base")
    assert set(inspect(engine).get_table_names()) == {REVISION_TABLE}
    migrate(engine)
    assert set(inspect(engine).get_table_names()) == {*TABLES, REVISION_TABLE}


def test_a_database_of_the_first_release_keeps_its_runs(engine: Engine, url: str):
    registry = Registry(url)
    registry.start_run("r1", "/data", "fedwiki", "d1")
    registry.finish_run("r1", "failed", error="boom")
    with migrating(engine) as connection:
        command.downgrade(migration_config(connection), "0001")
    assert {c["name"] for c in inspect(engine).get_columns("runs")}.isdisjoint({"checks", "report"})
    migrate(engine)
    (run,) = registry.runs()
    assert (run.id, run.state, run.error, run.checks, run.report) == ("r1", "failed", "boom", None, None)
    registry.close()


def test_migrations_make_the_tables_of_the_models(engine: Engine):
    options = {"version_table": REVISION_TABLE, "compare_type": True, "compare_server_default": True}
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata) == []


def test_constraints_have_the_names_of_the_models_so_that_a_migration_can_drop_them(engine: Engine):
    for table in Base.metadata.sorted_tables:
        of_models = {str(key.name) for key in table.foreign_key_constraints}
        assert {key["name"] for key in inspect(engine).get_foreign_keys(table.name)} == of_models
        assert inspect(engine).get_pk_constraint(table.name)["name"] == table.primary_key.name
    assert [c["name"] for c in inspect(engine).get_unique_constraints("versions")] == ["uq_versions_dataset_id_version"]


def test_every_connection_checks_foreign_keys(sqlite_engine: Engine):
    with closing(sqlite_engine.raw_connection()) as first, closing(sqlite_engine.raw_connection()) as second:
        found = [each.cursor().execute("PRAGMA foreign_keys").fetchone() for each in (first, second)]
    assert found == [(1,), (1,)]


def test_open_waits_for_a_writer_of_a_database_that_is_not_yet_in_wal_mode(tmp_path: Path):
    writer = sqlite3.connect(tmp_path / "registry.db", isolation_level=None, check_same_thread=False)
    writer.execute("CREATE TABLE other (x)")
    writer.execute("BEGIN IMMEDIATE")  # SQLite then refuses the switch to WAL at once, whatever the timeout
    threading.Timer(0.3, writer.close).start()
    Registry(f"sqlite:///{tmp_path}/registry.db").close()


def test_open_again_keeps_what_is_recorded(registry: Registry, url: str, make_manifest: Callable[..., Manifest]):
    registry.reserve_version(make_manifest(), "/data")
    again = Registry(url)
    assert again.versions() == registry.versions()
    again.close()


def test_database_of_newer_code_is_refused(engine: Engine, url: str):
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {REVISION_TABLE} SET version_num = '9999'"))
    with pytest.raises(RegistryError, match=r"is at revision 9999, and this code knows up to 0003: .*Run the newer"):
        Registry(url)


def test_failed_migration_leaves_nothing(engine: Engine):
    with pytest.raises(ZeroDivisionError), migrating(engine) as connection:  # noqa: PT012 - the block is the subject
        command.downgrade(migration_config(connection), "base")
        _ = 1 // 0
    assert set(inspect(engine).get_table_names()) == {*TABLES, REVISION_TABLE}


def test_table_that_others_refer_to_can_be_rebuilt_in_a_migration(sqlite_engine: Engine, sqlite_url: str):
    with closing(Registry(sqlite_url)) as registry:
        registry.start_run("r1", "/data", "fedwiki", "d1")
    with migrating(sqlite_engine) as connection:
        rows = connection.execute(text("SELECT * FROM datasets")).mappings().all()
        connection.execute(text("DROP TABLE datasets"))
        table = Base.metadata.tables["datasets"]
        table.create(connection)
        names = ", ".join(f":{column.name}" for column in table.columns)
        connection.execute(text(f"INSERT INTO datasets VALUES ({names})"), [dict(row) for row in rows])
    with sqlite_engine.connect() as connection:
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
        assert connection.execute(text("SELECT count(*) FROM runs")).scalar() == 1
