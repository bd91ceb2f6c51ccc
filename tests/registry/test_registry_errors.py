from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import make_url

import registry
from groupstream.errors import GroupstreamError
from registry import Registry, RegistryError, default_registry_url
from registry.errors import one_line_errors
from registry.url import parse_url

SECRET = "hunter2secret"
QUOTED_SECRET = f"{SECRET}%40{SECRET}"


def message_of_opening(url: str) -> str:
    with pytest.raises(RegistryError) as caught:
        Registry(url)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_public_names_are_there():
    records = ["AliasMoveRecord", "DatasetRecord", "Lineage", "Metric", "PullRecord"]
    others = ["Registry", "RegistryError", "RelatedVersion", "RunRecord", "VersionRecord", "default_registry_url"]
    assert registry.__all__ == [*records, *others]
    assert all(hasattr(registry, name) for name in registry.__all__)
    assert issubclass(RegistryError, GroupstreamError)


def test_parent_folder_is_created(tmp_path: Path):
    Registry(f"sqlite:///{tmp_path}/a/b/registry.db").close()
    assert (tmp_path / "a/b/registry.db").is_file()


def test_path_that_cannot_be_opened_is_one_line_with_the_way_out(tmp_path: Path):
    (tmp_path / "file").write_text("not a folder")
    for path in (tmp_path / "file/registry.db", tmp_path):
        message = message_of_opening(f"sqlite:///{path}")
        assert message.startswith(f"registry sqlite:///{path} cannot be used: ")
        assert "Set GROUPSTREAM_REGISTRY_URL to a database that can be written" in message


def test_file_that_is_no_database_is_refused(tmp_path: Path):
    (tmp_path / "registry.db").write_text("this is text " * 1000)
    assert "file is not a database" in message_of_opening(f"sqlite:///{tmp_path}/registry.db")


def test_database_that_cannot_be_written_can_be_read_only(sqlite_registry: Registry, tmp_path: Path):
    sqlite_registry.start_run("r1", "/data", "fedwiki", "d1")
    read_only = Registry(f"sqlite:///file:{tmp_path}/registry.db?mode=ro&uri=true")
    assert [run.id for run in read_only.runs()] == ["r1"]
    with pytest.raises(RegistryError, match=r"attempt to write a readonly database\. Set [^\n]*$"):
        read_only.start_run("r2", "/data", "fedwiki", "d1")
    read_only.close()


def test_database_that_cannot_be_written_cannot_be_begun(tmp_path: Path):
    sqlite3.connect(tmp_path / "registry.db").execute("PRAGMA journal_mode=WAL").close()
    assert "readonly database" in message_of_opening(f"sqlite:///file:{tmp_path}/registry.db?mode=ro&uri=true")


def test_write_that_the_database_refuses_is_one_line(sqlite_registry: Registry, sqlite_url: str):
    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as connection:
        connection.execute("DROP TABLE runs")
    with pytest.raises(RegistryError, match=r"^registry sqlite.* cannot be used: no such table: runs\. Set [^\n]*$"):
        sqlite_registry.start_run("r1", "/data", "fedwiki", "d1")


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://me:{SECRET}@host/name",
        f"nothing://me:{SECRET}@host/name",
        f"sqlite://me:{SECRET}@host/name",
        f"postgresql+psycopg://me:{QUOTED_SECRET}@127.0.0.1:1/name",
        f"postgresql+psycopg://127.0.0.1:1/name?user=me&password={QUOTED_SECRET}",
        f"postgresql://me:{SECRET}@host:{SECRET}/name",
        f"me:{SECRET}",
    ],
)
def test_password_is_never_shown(url: str):
    assert SECRET not in message_of_opening(url)


def test_password_that_a_driver_quotes_is_not_shown():
    url = make_url(f"postgresql://me:{QUOTED_SECRET}@host/name")
    with pytest.raises(RegistryError, match=r"cannot be used: no \*\*\* here\. Set"), one_line_errors(url):
        raise OSError(f"no {url.password} here")


def test_driver_of_postgresql_is_ours_unless_the_url_names_one():
    assert parse_url("postgresql://host/name").drivername == "postgresql+psycopg"
    assert parse_url("postgresql+psycopg2://host/name").drivername == "postgresql+psycopg2"


@pytest.mark.parametrize(("name", "package"), [("psycopg", r"'psycopg\[binary\]'"), ("psycopg2", "psycopg2")])
def test_driver_that_is_missing_is_named(name: str, package: str):
    with (
        pytest.raises(RegistryError, match=rf"Install the driver of the database: pip install {package}$"),
        one_line_errors(make_url("postgresql://host/name")),
    ):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def test_database_of_another_kind_is_refused():
    assert "mysql is not supported; write sqlite" in message_of_opening("mysql://host/name")


def test_default_url_is_the_variable_or_a_file_in_the_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("GROUPSTREAM_ROOT", str(tmp_path))
    monkeypatch.delenv("GROUPSTREAM_REGISTRY_URL", raising=False)
    assert default_registry_url() == f"sqlite:///{tmp_path}/registry.db"
    monkeypatch.setenv("GROUPSTREAM_REGISTRY_URL", "sqlite:////elsewhere/registry.db")
    assert default_registry_url() == "sqlite:////elsewhere/registry.db"


@pytest.mark.parametrize("root", ["gs://bucket/datasets", "/data/what?"])
def test_root_that_cannot_hold_a_file_is_refused(monkeypatch: pytest.MonkeyPatch, root: str):
    monkeypatch.setenv("GROUPSTREAM_ROOT", root)
    monkeypatch.delenv("GROUPSTREAM_REGISTRY_URL", raising=False)
    with pytest.raises(RegistryError, match="set GROUPSTREAM_REGISTRY_URL"):
        default_registry_url()


def test_importing_the_registry_does_not_import_alembic():
    code = "import registry, sys; print([name for name in sys.modules if name.split('.')[0] == 'alembic'])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
