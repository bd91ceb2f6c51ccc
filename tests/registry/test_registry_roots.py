"""Revision 0003, with data that was written before it: where datasets get their roots."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Engine, inspect, text

from groupstream.catalog import DatasetCatalog
from groupstream.catalog.changes import set_deleted, set_deprecated
from groupstream.manifest import Manifest
from registry import Metric, PullRecord, Registry, RegistryError
from registry.database import migrate, migrating, migration_config, open_engine

MakeManifest = Callable[..., Manifest]
MONDAY = datetime(2024, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    opened = open_engine(url)
    yield opened
    opened.dispose()


def go_down(engine: Engine, revision: str = "0002") -> None:
    with migrating(engine) as connection:
        command.downgrade(migration_config(connection), revision)


def rows_of(engine: Engine, query: str) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def move_version(engine: Engine, version: str, location: str) -> None:
    with engine.begin() as connection:
        change = "UPDATE versions SET location = :location WHERE version = :version"
        connection.execute(text(change), {"location": location, "version": version})


def test_datasets_get_the_root_in_which_their_versions_lie(
    registry: Registry, engine: Engine, make_manifest: MakeManifest
):
    for name, root in [("here", "/data"), ("there", "gs://bucket/data"), ("top", "/")]:
        registry.record_published(make_manifest(name=name), root, MONDAY)
    registry.start_run("r1", "/data", "only-runs", "d1")
    before = registry.versions()
    go_down(engine)
    migrate(engine)
    roots = {dataset.name: dataset.root for dataset in registry.datasets()}
    assert roots == {"here": "/data", "there": "gs://bucket/data", "top": "/", "only-runs": ""}
    assert [record.changed_at for record in registry.versions()] == [MONDAY] * 3
    assert [(r.ref, r.root, r.location, r.spec) for r in registry.versions()] == [
        (r.ref, r.root, r.location, r.spec) for r in before
    ]


def test_versions_of_a_name_in_several_roots_become_several_datasets_with_their_runs(
    registry: Registry, engine: Engine, make_manifest: MakeManifest
):
    for version, digest in [("1.0.0", "a" * 64), ("1.1.0", "b" * 64), ("1.2.0", "c" * 64)]:
        registry.start_run(f"r{version}", "/data", "fedwiki", digest)
        registry.record_published(make_manifest(version, digest), "/data", MONDAY)
    registry.start_run("failed", "/data", "fedwiki", "d" * 64)
    go_down(engine)
    move_version(engine, "1.0.0", "/old/fedwiki/1.0.0")
    move_version(engine, "1.1.0", "/nowhere")
    migrate(engine)
    found = [(record.root, record.version) for record in registry.versions("fedwiki")]
    assert found == [("", "1.1.0"), ("/data", "1.2.0"), ("/old", "1.0.0")]
    assert [run.id for run in registry.runs(root="/old")] == ["r1.0.0"]
    assert {run.id for run in registry.runs(root="/data")} == {"r1.2.0", "failed"}


@pytest.mark.parametrize("adopt", ["start_run", "record_published", "sync_catalog"])
def test_dataset_without_a_root_becomes_that_of_the_first_who_records_something(
    registry: Registry,
    engine: Engine,
    make_manifest: MakeManifest,
    make_catalog: Callable[..., DatasetCatalog],
    adopt: str,
):
    registry.start_run("r1", "/gone", "fedwiki", "d1")
    go_down(engine)
    migrate(engine)
    assert [dataset.root for dataset in registry.datasets()] == [""]
    arguments: dict[str, tuple[Any, ...]] = {
        "start_run": ("r2", "/data/", "fedwiki", "d1"),
        "record_published": (make_manifest(), "/data/", MONDAY),
        "sync_catalog": ("/data/", make_catalog("1.0.0")),
    }
    getattr(registry, adopt)(*arguments[adopt])
    registry.start_run("r3", "/other", "fedwiki", "d1")
    assert [dataset.root for dataset in registry.datasets()] == ["/data", "/other"]
    assert "r1" in [run.id for run in registry.runs(root="/data")]


def test_going_down_keeps_what_the_former_code_knows_in_states_that_it_knows(
    registry: Registry, engine: Engine, make_manifest: MakeManifest, make_catalog: Callable[..., DatasetCatalog]
):
    catalog = make_catalog("1.0.0", "1.1.0", "1.2.0")
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        registry.record_published(make_manifest(version), "/data", MONDAY)
    registry.reserve_version(make_manifest("2.0.0"), "/data")
    registry.record_failed("/data", "fedwiki", "2.0.0", "a" * 64)
    catalog = set_deleted(set_deprecated(catalog, "1.0.0", "old"), "1.1.0", "wrong", MONDAY)
    registry.sync_catalog("/data", catalog)
    registry.start_run("r1", "/data", "fedwiki", "d1", kind="train")
    registry.record_metrics("r1", [Metric("loss", 0.5)])
    registry.record_use("r1", "/data", "fedwiki", "1.0.0")
    registry.record_pulls("/data", [PullRecord("p1", "fedwiki", "1.0.0", MONDAY, "me", ["train"], 10)])
    registry.finish_run("r1", "completed")
    go_down(engine)
    assert set(inspect(engine).get_table_names()) == {"datasets", "versions", "runs", "registry_revision"}
    states = [("1.0.0", "published"), ("1.2.0", "published"), ("2.0.0", "pending")]
    assert rows_of(engine, "SELECT version, state FROM versions ORDER BY version") == states
    assert rows_of(engine, "SELECT id, state FROM runs") == [("r1", "unchanged")]
    migrate(engine)
    registry.sync_catalog("/data", catalog)
    states = [("1.0.0", "deprecated"), ("1.1.0", "deleted"), ("1.2.0", "published"), ("2.0.0", "pending")]
    assert [(record.version, record.state) for record in registry.versions()] == states
    assert registry.aliases("/data", "fedwiki") == {"latest": "1.2.0"}


def test_going_down_with_a_name_in_two_roots_is_refused_and_loses_nothing(registry: Registry, engine: Engine):
    registry.start_run("r1", "/a", "fedwiki", "d1")
    registry.start_run("r2", "/b", "fedwiki", "d1")
    with pytest.raises(RegistryError, match=r"1 names, such as 'fedwiki', are in several roots\. Delete [^\n]*$"):
        go_down(engine)
    assert [(run.id, run.root) for run in registry.runs()] == [("r2", "/b"), ("r1", "/a")]


def test_an_older_registry_is_migrated_when_it_is_opened(engine: Engine, url: str):
    go_down(engine, "0001")
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO datasets VALUES (7, 'fedwiki', '2024-01-01 00:00:00.000000')"))
    with closing(Registry(url)) as registry:
        assert [(dataset.name, dataset.root) for dataset in registry.datasets()] == [("fedwiki", "")]
