from __future__ import annotations

import functools
import itertools
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from groupstream.catalog import DatasetCatalog, describe_published
from groupstream.catalog.changes import add_version
from groupstream.manifest import Counts, Manifest, Shard, SplitInfo, Statistics, StoredFile
from registry import Registry

MONDAY = datetime(2024, 1, 1, 12, tzinfo=UTC)
DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)]
SIZES = {"p10": 1, "p50": 2, "p90": 3, "max": 4}
FILE = {"size_bytes": 10, "crc32c": "00000000", "sha256": "0" * 64}


def split(num_groups: int, num_shards: int) -> SplitInfo:
    shard = Shard(path="shard", num_groups=1, num_examples=2, **FILE)
    statistics = Statistics(
        num_groups=num_groups, num_examples=2 * num_groups, num_bytes=3 << 40, num_words=7, group_sizes=SIZES
    )
    return SplitInfo(shards=(shard,) * num_shards, group_table=StoredFile(path="table", **FILE), statistics=statistics)


def manifest_of(version: str = "1.0.0", digest: str = "a" * 64, name: str = "fedwiki", **fields: Any) -> Manifest:
    defaults: dict[str, Any] = {
        "spec": {"name": name},
        "source": {"kind": "jsonl"},
        "code": {"groupstream": "0.1.0"},
        "seed": 0,
        "features": {},
        "group_feature": "group_id",
        "splits": {"train": split(5, 2), "test": split(3, 1)},
        "counts": Counts(examples_in=20, examples_out=16, dropped={"empty": 4}),
    }
    return Manifest(name=name, version=version, digest=digest, **{**defaults, **fields})


@pytest.fixture
def make_manifest() -> Callable[..., Manifest]:
    return manifest_of


def catalog_of(*versions: str, name: str = "fedwiki", digest: str = "a" * 64) -> DatasetCatalog:
    """A catalog to which these were added, one a minute."""
    catalog = DatasetCatalog(name=name)
    for index, version in enumerate(versions):
        entry = describe_published(manifest_of(version, digest, name), b"", MONDAY + timedelta(minutes=index), "r1")
        catalog = add_version(catalog, entry, by="me").model_copy(update={"revision": index + 1})
    return catalog


@pytest.fixture
def make_catalog() -> Callable[..., DatasetCatalog]:
    return catalog_of


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Callable[..., str]]:
    """A function that makes a database of a real server: an empty one, or a copy of one with the tables (40 ms)."""
    with warnings.catch_warnings(action="ignore"):  # that there is no XDG_RUNTIME_DIR
        pgserver = pytest.importorskip("pgserver")
    with tempfile.TemporaryDirectory() as folder:  # the server's user may not look into pytest's folders
        server = pgserver.get_server(folder, cleanup_mode="stop")
        with closing(psycopg.connect(server.get_uri(), autocommit=True)) as connection:
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):  # nobody cuts the power of a test
                connection.execute(f"ALTER SYSTEM SET {setting} = off")
            connection.execute("SELECT pg_reload_conf()")
            make = functools.partial(new_database, server, connection, itertools.count())
            Registry(make(template="")).close()
            yield make
        server.cleanup()


def new_database(
    server: Any, connection: psycopg.Connection, numbers: Iterator[int], *, template: str = "TEMPLATE test0"
) -> str:
    name = f"test{next(numbers)}"
    connection.execute(f"CREATE DATABASE {name} {template}")
    return str(server.get_uri(name)).replace("postgresql:", "postgresql+psycopg:")


@pytest.fixture(scope="session")
def sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the tables, to be copied: faster than to make them."""
    file = tmp_path_factory.mktemp("registry") / "registry.db"
    Registry(f"sqlite:///{file}").close()
    return file


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty registry, which has its tables."""
    if request.param == "postgresql":
        return request.getfixturevalue("postgresql")()
    shutil.copy(request.getfixturevalue("sqlite_file"), tmp_path)
    return f"sqlite:///{tmp_path}/registry.db"


@pytest.fixture(params=DATABASES)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a registry that has no tables yet."""
    if request.param == "postgresql":
        return request.getfixturevalue("postgresql")(template="")
    return f"sqlite:///{tmp_path}/registry.db"


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Of a registry that is not there yet."""
    return f"sqlite:///{tmp_path}/registry.db"


@pytest.fixture
def registry(url: str) -> Iterator[Registry]:
    with closing(Registry(url)) as opened:
        yield opened


@pytest.fixture
def sqlite_registry(sqlite_url: str) -> Iterator[Registry]:
    with closing(Registry(sqlite_url)) as opened:
        yield opened
