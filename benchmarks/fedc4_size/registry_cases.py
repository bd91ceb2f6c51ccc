"""A registry of many versions and as many runs, in SQLite: recording one more, and asking."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

import groupstream
from benchmarks.fedc4_size.found import Found
from benchmarks.fedc4_size.names import NUM_SHARDS, ROOT, version_folder
from benchmarks.fedc4_size.shard_cases import make_manifest
from groupstream import Manifest
from registry import Registry
from registry.database import open_engine
from registry.descriptions import columns_of_manifest
from registry.models import Dataset, Run, RunInput, Version
from registry.states import RunState, VersionState

_NUM_DATASETS = 100
_ROWS_AT_ONCE = 1_000
_START = datetime(2027, 1, 1, tzinfo=UTC)
_TIMES = 20


def make_registry(folder: Path, num_versions: int) -> None:
    """Fills an empty registry: versions of 100 datasets, a run for each, of which each hundredth never ended."""
    if (folder / "whole").exists():
        return
    make_manifest(folder / "version", NUM_SHARDS)
    columns = columns_of_manifest(_manifest(folder), f"{ROOT}/x")
    engine = open_engine(_url(folder))
    with Session(engine) as session, session.begin():
        names = [{"id": 1 + index, "root": ROOT, "name": _name(index)} for index in range(_NUM_DATASETS)]
        session.execute(insert(Dataset), names)
        for some in _batches(num_versions):
            session.execute(insert(Version), [_version(number, columns) for number in some])
            session.execute(insert(Run), [_run(number, columns) for number in some])
            session.execute(insert(RunInput), [_read(number) for number in some])
    engine.dispose()
    (folder / "whole").touch()


def record(folder: Path) -> Found:
    """One version more, and one run more, each in a transaction of its own."""
    manifest, found, now = _manifest(folder), Found(), datetime.now(UTC)
    tag = f"again-{now.timestamp():.0f}"
    with closing(Registry(_url(folder))) as registry:
        with found.timed("record a version", _TIMES):
            for patch in range(_TIMES):
                more = manifest.model_copy(update={"name": _name(0), "version": f"9.{int(now.timestamp())}.{patch}"})
                registry.record_published(more, ROOT, now, f"{tag}-{patch}")
        with found.timed("record a run", _TIMES):
            for patch in range(_TIMES):
                registry.start_run(f"{tag}-{patch}", ROOT, _name(0), manifest.digest, spec=manifest.spec)
                registry.finish_run(f"{tag}-{patch}", "published", "9.0.0")
    return found


def ask(folder: Path) -> Found:
    """What the commands, the doctor and the alarms ask."""
    found = Found()
    with found.timed("open the registry"):
        registry = Registry(_url(folder))
    with closing(registry):
        registry.run("run-0")  # the first question prepares what the others need, too
        with found.timed("the newest 50 runs"):
            registry.runs(root=ROOT)
        with found.timed("the newest 50 runs of a dataset"):
            registry.runs(_name(7), root=ROOT)
        with found.timed("the runs that never ended"):
            registry.running(ROOT)
        with found.timed("where a version comes from"):
            registry.lineage(ROOT, _name(7), "1.0.0")
        with found.timed("when versions were used last"):
            registry.last_used(ROOT, _name(7))
        with found.timed("all versions of a dataset"):
            registry.versions(_name(7), ROOT)
    found.bytes["registry on disk"] = (folder / "registry.db").stat().st_size
    return found


def list_all(folder: Path) -> Found:
    """Every version, as values."""
    found = Found()
    with closing(Registry(_url(folder))) as registry, found.timed("all versions of all datasets"):
        registry.versions(root=ROOT)
    return found


def _manifest(folder: Path) -> Manifest:
    return groupstream.open(version_folder(folder / "version")).manifest


def _url(folder: Path) -> str:
    return f"sqlite:///{folder / 'registry.db'}"


def _name(index: int) -> str:
    return f"dataset-{index:03d}"


def _batches(count: int) -> Iterator[list[int]]:
    numbers = iter(range(count))
    while some := list(itertools.islice(numbers, _ROWS_AT_ONCE)):
        yield some


def _number(number: int) -> str:
    return f"1.{number // _NUM_DATASETS}.0"


def _version(number: int, columns: dict[str, Any]) -> dict[str, Any]:
    own = {"dataset_id": 1 + number % _NUM_DATASETS, "version": _number(number), "digest": f"{number:064x}"}
    at = _START + timedelta(minutes=number)
    return {**columns, **own, "state": VersionState.PUBLISHED, "run_id": f"run-{number}", "published_at": at}


def _run(number: int, columns: dict[str, Any]) -> dict[str, Any]:
    ended = number % 100 > 0
    at = _START + timedelta(minutes=number)
    return {
        "id": f"run-{number}",
        "dataset_id": 1 + number % _NUM_DATASETS,
        "digest": f"{number:064x}",
        "state": RunState.PUBLISHED if ended else RunState.RUNNING,
        "version": _number(number),
        **{name: columns[name] for name in ("spec", "source", "code", "checks")},
        "stage_seconds": {"partition": 1.0},
        "started_at": at,
        "ended_at": at if ended else None,
    }


def _read(number: int) -> dict[str, str]:
    name = _name(number % _NUM_DATASETS)
    return {"run_id": f"run-{number}", "root": ROOT, "name": name, "version": "1.0.0"}
