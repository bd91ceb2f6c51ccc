"""Random schedules of publishers, deleters and kills, with a registry: the store is right, the registry is its copy.

As reader/tests/schedules, which knows nothing of deletions and registries. One that fails is run again alone by its
name, such as `-k bucket-0017`.
"""

from __future__ import annotations

import importlib.util
import random
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from groupstream import GroupstreamError, layout
from groupstream.catalog import read_catalog
from groupstream.commit import claim_version, claimed_by, commit_version, describe_file
from groupstream.errors import ConflictError, RefNotFoundError, UsageError
from groupstream.manifest import Counts, Manifest
from groupstream.refs import published_versions, resolve
from groupstream.stores import LocalStore, Store, open_store
from groupstream.testing import GcsServer
from lifecycle.announcing import announce
from lifecycle.deletion import delete_version
from registry import Registry, RegistryError

PLAYED = {"folder": 24, "bucket": 12}
NAME, VERSIONS = "made", ("1.0.0", "1.1.0", "2.0.0")
MAX_TRIES = 300

pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")]


def _publishing() -> ModuleType:
    """What the schedules of the reader die with."""
    path = Path(__file__).parents[2] / "reader" / "tests" / "schedules" / "publishing.py"
    spec = importlib.util.spec_from_file_location("schedules_publishing", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


dying = _publishing()


class Build:
    """A version of three small files, of which no byte is that of another build."""

    def __init__(self, version: str, which: int) -> None:
        self.files = {path: f"{path} of {version} {which}".encode() for path in ("README.md", "a/b", "c")}
        self.manifest = Manifest(
            name=NAME,
            version=version,
            digest=f"{which}{version}".ljust(64, "0"),
            spec={"name": NAME},
            source={},
            code={},
            features={},
            splits={},
            seed=0,
            group_feature="group_id",
            counts=Counts(examples_in=1, examples_out=1),
            files=tuple(describe_file(path, content) for path, content in self.files.items()),
        )


class Actor(threading.Thread):
    """Does a thing again and again until it is through, whatever it dies of on the way."""

    def __init__(self, name: str, store: Any, registry: Any, kills: list[tuple[int, bool]]) -> None:
        super().__init__(daemon=True, name=name)
        self.failure: str | None = None
        self.refused: str | None = None
        self.runs: list[str] = []
        self._store, self._registry, self._kills = store, registry, kills
        self._pause = threading.Event()

    def run(self) -> None:
        try:
            for attempt in range(MAX_TRIES):
                at, carried_out = self._kills[attempt] if attempt < len(self._kills) else (0, False)
                self.runs.append(f"{self.name}-{attempt}")
                try:
                    store = dying.DyingStore(self._store, at, carried_out)
                    self.act(store, dying.DyingStore(self._registry, at, carried_out))
                    return
                except (ConflictError, UsageError) as error:
                    self.refused = str(error)
                    return
                except (dying.Killed, GroupstreamError, RegistryError) as error:
                    if "stays taken" in str(error):  # it was deleted meanwhile
                        self.refused = str(error)
                        return
                    last = error
                    self._pause.wait(0.02)
            self.failure = f"{self.name} is not through after {MAX_TRIES} tries: {last}"
        except BaseException as error:
            self.failure = f"{self.name}: {type(error).__name__}: {error}"

    def act(self, store: Any, registry: Any) -> None:
        raise NotImplementedError


class Publisher(Actor):
    """Everything that a build does after it has built."""

    build: Build

    def act(self, store: Any, registry: Any) -> None:
        manifest, run = self.build.manifest, self.runs[-1]
        folder = f"{NAME}/{manifest.version}"
        registry.start_run(run, store.root, NAME, manifest.digest)
        if not claim_version(store, folder, manifest.digest, {"run": run, "created_at": datetime.now(UTC).isoformat()}):
            raise ConflictError(f"{manifest.ref} belongs to {claimed_by(store, folder)}")
        registry.reserve_version(manifest, store.root, run)
        commit_version(store, folder, manifest, self.build.files, uploads=2)
        announce(store, registry, manifest, manifest.to_json(), by=run)
        registry.finish_run(run, "published", manifest.version)


class Deleter(Actor):
    """Deletes a version, at first with grace, so that its files stay."""

    version: str

    def act(self, store: Any, registry: Any) -> None:
        try:
            delete_version(store, registry, NAME, self.version, "unwanted", allow_last=True, by=self.name)
        except RefNotFoundError as error:
            raise GroupstreamError("it is not there yet") from error


class Reader(threading.Thread):
    """Whatever a ref leads to can be read, and is what one build wrote."""

    def __init__(self, store: Store, builds: list[Build]) -> None:
        super().__init__(daemon=True)
        self.wrong: list[str] = []
        self._store, self._builds = store, builds
        self._stopped = threading.Event()

    def stop(self) -> list[str]:
        self._stopped.set()
        self.join()
        return self.wrong

    def run(self) -> None:
        while not self._stopped.wait(0.01) and not self.wrong:
            for ref in (NAME, *(f"{NAME}@{version}" for version in VERSIONS)):
                try:
                    self._read(resolve(ref, self._store.root).folder)
                except RefNotFoundError:
                    pass
                except Exception as error:
                    self.wrong.append(f"{ref}: {type(error).__name__}: {error}")

    def _read(self, folder: str) -> None:
        content = self._store.read(f"{folder}/{layout.MANIFEST}")
        build = {each.manifest.to_json(): each for each in self._builds}[content]
        for path, data in build.files.items():
            assert self._store.read(f"{folder}/{path}") == data


@pytest.fixture
def ground(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A store, and the server behind it."""
    if request.param == "folder":
        yield LocalStore(tmp_path / "root"), None
        return
    with GcsServer("bucket") as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        yield open_store("gs://bucket/datasets"), server


@pytest.fixture(autouse=True)
def _short_waits() -> Iterator[None]:
    yield from dying.shorter_waits()


@pytest.mark.parametrize(
    ("ground", "seed"),
    [pytest.param(kind, seed, id=f"{kind}-{seed:04d}") for kind, count in PLAYED.items() for seed in range(count)],
    indirect=["ground"],
)
def test_deleted_numbers_stay_taken_and_the_registry_is_a_copy(ground: Any, registry: Registry, seed: int) -> None:
    store, server = ground
    draw = random.Random(f"{store.root.startswith('gs')} {seed}")
    builds = [Build(draw.choice(VERSIONS), draw.randint(1, 2)) for _ in range(draw.randint(2, 3))]
    actors: list[Actor] = []
    for number, build in enumerate(builds):
        publisher = Publisher(f"run{number}", store, registry, _kills(draw))
        publisher.build = build
        actors.append(publisher)
    for number in range(draw.randint(1, 2)):
        deleter = Deleter(f"deleter{number}", store, registry, _kills(draw))
        deleter.version = draw.choice(builds).manifest.version
        actors.append(deleter)
    if server:
        server.faults.random(seed, draw.choice([0.0, 0.05, 0.1]))
    reader = Reader(store, builds)
    for thread in (reader, *actors):
        thread.start()
    for actor in actors:
        actor.join()
    wrong = reader.stop()
    if server:
        server.faults.calm()
    assert not wrong + [actor.failure for actor in actors if actor.failure]
    _finish(store, registry)
    _assert_settled(store, registry, builds)


def _kills(draw: random.Random) -> list[tuple[int, bool]]:
    return [(draw.randint(1, 20), draw.random() < 0.5) for _ in range(draw.randint(0, 3))]


def _finish(store: Store, registry: Registry) -> None:
    """The grace is over."""
    catalog = read_catalog(store, NAME)
    for each in catalog.versions if catalog else ():
        if not each.is_readable:
            later = datetime.now(UTC) + timedelta(days=2)
            delete_version(store, registry, NAME, each.version, "unwanted", allow_last=True, now=later)


def _assert_settled(store: Store, registry: Registry, builds: list[Build]) -> None:
    catalog = read_catalog(store, NAME)
    assert catalog is not None
    deleted = {each.version for each in catalog.versions if not each.is_readable}
    assert {each.version for each in catalog.versions} == {build.manifest.version for build in builds}
    assert set(published_versions(store, NAME)) == set(catalog.readable())
    for each in catalog.versions:
        folder = f"{NAME}/{each.version}"
        there = {found.path.removeprefix(f"{folder}/"): found for found in store.objects(folder)}
        if each.version in deleted:
            assert set(there) == {layout.CLAIM, layout.TOMBSTONE}
            continue
        [build] = {b.manifest.to_json(): b for b in builds if b.manifest.digest == each.digest}.values()
        assert set(there) == {layout.CLAIM, layout.MANIFEST, *build.files}
        assert all(store.read(f"{folder}/{path}") == content for path, content in build.files.items())
    states = {each.version: each.state for each in registry.versions(NAME, store.root)}
    assert {version: state for version, state in states.items() if state != "failed"} == {
        each.version: each.state for each in catalog.versions
    }
    assert registry.aliases(store.root, NAME) == catalog.aliases
