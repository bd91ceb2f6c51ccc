"""Small versions published as builds do it, and stores and registries that die at any of their writes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from groupstream.commit import claim_version, commit_version, describe_file
from groupstream.manifest import Counts, GroupSizes, Manifest, SplitInfo, Statistics
from groupstream.stores import LocalStore, Store
from lifecycle.announcing import announce
from registry import Registry


class Killed(BaseException):
    """The process ends here."""


class Fuse:
    """Kills at the write of this number, counted from 0: before it is made, or after."""

    def __init__(self, dies_at: int | None = None, *, after: bool = False) -> None:
        self.left, self.after, self.writes = dies_at, after, 0

    def __call__(self, write: Callable[[], Any]) -> Any:
        self.writes += 1
        is_end = self.left == 0
        self.left = None if self.left is None else self.left - 1
        if is_end and not self.after:
            raise Killed
        done = write()
        if is_end:
            raise Killed
        return done


class Dying:
    """A store or a registry, of which these methods pass a fuse."""

    def __init__(self, inner: Any, fuse: Fuse, *methods: str) -> None:
        self._inner, self._fuse, self._methods = inner, fuse, methods

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name not in self._methods:
            return found
        return lambda *args, **options: self._fuse(lambda: found(*args, **options))


WRITES = ("put_if_absent", "replace", "swap", "delete")
RECORDS = ("start_run", "reserve_version", "record_published", "sync_catalog", "finish_run", "record_failed")


class Places:
    """A store, a registry beside it, and what is done to them."""

    def __init__(self, folder: Path, empty_registry: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self._empty = folder, empty_registry
        self.store = LocalStore(folder / "root")
        self.registry = self._open()

    def dying(self, fuse: Fuse) -> tuple[Any, Any]:
        return Dying(self.store, fuse, *WRITES), Dying(self.registry, fuse, *RECORDS)

    def new_registry(self) -> None:
        self.registry.close()
        for file in self.folder.glob("registry.db*"):
            file.unlink()
        self.registry = self._open()

    def _open(self) -> Registry:
        shutil.copy(self._empty, self.folder / "registry.db")
        return Registry(f"sqlite:///{self.folder}/registry.db")


def manifest_of(ref: str, build: str = "") -> tuple[Manifest, dict[str, bytes]]:
    """A version of three small files."""
    name, version = ref.split("@")
    contents = {path: f"{path} of {ref} {build}".encode() for path in ("README.md", "report/card.html", "table")}
    files = {path: describe_file(path, content) for path, content in contents.items()}
    statistics = Statistics(
        num_groups=1,
        num_examples=2,
        num_bytes=3,
        num_words=4,
        group_sizes=GroupSizes(p10=1, p50=1, p90=1, max=1),
    )
    manifest = Manifest(
        name=name,
        version=version,
        digest=(f"{ref}{build}".encode().hex() + "0" * 64)[:64],
        spec={"name": name},
        source={},
        code={},
        seed=0,
        features={},
        group_feature="group_id",
        splits={"train": SplitInfo(shards=(), group_table=files.pop("table"), statistics=statistics)},
        counts=Counts(examples_in=1, examples_out=1),
        files=tuple(files.values()),
    )
    return manifest, contents


def publish_version(
    store: Store,
    registry: Registry | None,
    ref: str,
    *,
    run: str = "run",
    aliases: tuple[str, ...] = (),
    at: datetime | None = None,
) -> Manifest:
    """Everything that a build does after it has built, in its order."""
    manifest, contents = manifest_of(ref)
    name, folder, now = manifest.name, ref.replace("@", "/"), at or datetime.now(UTC)
    if registry is not None:
        registry.start_run(run, store.root, name, manifest.digest)
    claim = {"run": run, "created_at": now.isoformat(timespec="seconds"), "aliases": list(aliases)}
    assert claim_version(store, folder, manifest.digest, claim)
    if registry is not None:
        registry.reserve_version(manifest, store.root, run)
    commit_version(store, folder, manifest, contents)
    announce(store, registry, manifest, manifest.to_json())
    if registry is not None:
        registry.finish_run(run, "published", manifest.version)
    return manifest


@pytest.fixture(scope="session")
def empty_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with its tables, which take longest to make."""
    file = tmp_path_factory.mktemp("registry") / "empty.db"
    Registry(f"sqlite:///{file}").close()
    return file


@pytest.fixture
def places(tmp_path: Path, empty_registry: Path) -> Iterator[Places]:
    made = Places(tmp_path, empty_registry)
    yield made
    made.registry.close()


@pytest.fixture
def make_places(tmp_path: Path, empty_registry: Path) -> Iterator[Callable[[str], Places]]:
    made: list[Places] = []

    def make(name: str) -> Places:
        made.append(Places(tmp_path / name, empty_registry))
        return made[-1]

    yield make
    for each in made:
        each.registry.close()


@pytest.fixture
def store(places: Places) -> LocalStore:
    return places.store


@pytest.fixture
def registry(places: Places) -> Registry:
    return places.registry


@pytest.fixture
def publish(places: Places) -> Callable[..., Manifest]:
    """Publishes a version: `publish("text@1.0.0", aliases=("stable",), at=moment)`."""
    return lambda ref, **options: publish_version(places.store, places.registry, ref, run=f"run {ref}", **options)


@pytest.fixture
def publish_into() -> Callable[..., Manifest]:
    """The same into any store and registry, which may die."""
    return publish_version


@pytest.fixture
def fuse() -> type[Fuse]:
    return Fuse


@pytest.fixture
def killed() -> type[Killed]:
    return Killed
