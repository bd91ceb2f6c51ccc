"""Twenty processes publish while a hundred threads read, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import importlib
import multiprocessing
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from groupstream.catalog import DatasetCatalog
from groupstream.layout import version_key
from groupstream.manifest import Manifest
from registry import Registry
from tests.waiting import LONG

ROOT = "/data"
NUM_PUBLISHERS, NUM_OWN, NUM_CONTESTED, NUM_READERS, NUM_READER_PROCESSES = 20, 3, 3, 100, 4


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(Path(__file__).parent)  # spawned processes have the sys.path of this one
    return importlib.import_module("registry_processes")


class Crew:
    """Processes that begin together, each with its result in a queue of its kind."""

    def __init__(self, processes: ModuleType, size: int) -> None:
        self._run = processes.run_in_process
        self._spawn = multiprocessing.get_context("spawn")
        self._start = self._spawn.Barrier(size)
        self._processes: list[Any] = []
        self.done = self._spawn.Event()

    def begin(self, work: Callable[..., list[str]], arguments: list[tuple[Any, ...]]) -> Any:
        results = self._spawn.Queue()
        for each in arguments:
            process = self._spawn.Process(target=self._run, args=(work, self._start, results, *each))
            process.start()
            self._processes.append(process)
        return results

    def join(self) -> None:
        for process in self._processes:
            process.join()


def manifests_of(publisher: int, make_manifest: Callable[..., Manifest]) -> list[Manifest]:
    """Some of its own, in a dataset that four share, and some that all publishers want."""
    digest = f"{publisher:064x}"
    own = [make_manifest(f"{publisher}.{v}.0", digest, f"shared{publisher % 5}") for v in range(NUM_OWN)]
    return own + [make_manifest(f"1.{v}.0", digest, "contested") for v in range(NUM_CONTESTED)]


@pytest.mark.integration
@pytest.mark.timeout(1800)
def test_publishers_lose_nothing_and_readers_never_see_an_alias_without_its_version(
    empty_url: str, tmp_path: Path, make_manifest: Callable[..., Manifest], processes: ModuleType
):
    names = ["contested", *(f"shared{index}" for index in range(5))]
    crew = Crew(processes, NUM_PUBLISHERS + NUM_READER_PROCESSES)
    per_process = NUM_READERS // NUM_READER_PROCESSES
    seen = crew.begin(processes.read_all, [(empty_url, names, crew.done, per_process)] * NUM_READER_PROCESSES)
    published = crew.begin(
        processes.publish_all,
        [(empty_url, tmp_path, manifests_of(index, make_manifest), index) for index in range(NUM_PUBLISHERS)],
    )
    outcomes = [published.get(timeout=LONG) for _ in range(NUM_PUBLISHERS)]
    crew.done.set()
    looks = [seen.get(timeout=LONG) for _ in range(NUM_READER_PROCESSES)]
    crew.join()

    assert [outcome[:NUM_OWN] for outcome in outcomes] == [["published"] * NUM_OWN] * NUM_PUBLISHERS
    contested = [each for outcome in outcomes for each in outcome[NUM_OWN:]]
    assert contested.count("published") == NUM_CONTESTED
    assert contested.count("refused") == (NUM_PUBLISHERS - 1) * NUM_CONTESTED
    assert [problems for *problems, _ in looks] == [[]] * NUM_READER_PROCESSES
    assert all(int(fewest) > 1 for *_, fewest in looks)
    with closing(Registry(empty_url)) as registry:
        assert_complete(registry, names, tmp_path)


def assert_complete(registry: Registry, names: list[str], folder: Path) -> None:
    """What the registry holds is what the catalogs say, with every move, run, metric and pull."""
    num_versions = NUM_PUBLISHERS * NUM_OWN + NUM_CONTESTED
    assert [version.state for version in registry.versions()] == ["published"] * num_versions
    for dataset in registry.datasets():
        catalog = DatasetCatalog.from_json((folder / f"{dataset.name}.json").read_bytes(), "")
        assert (dataset.aliases, dataset.catalog_revision) == (catalog.aliases, catalog.revision)
        moves = [(move.alias, move.version, move.at, move.by) for move in catalog.history]
        assert [(m.alias, m.version, m.at, m.by) for m in registry.alias_history(ROOT, dataset.name)] == moves
        versions = registry.versions(dataset.name)
        assert dataset.aliases["latest"] == max((each.version for each in versions), key=version_key)
        assert [(v.version, v.digest, v.run_id) for v in versions] == [
            (v.version, v.digest, v.run) for v in catalog.versions
        ]
        assert {pull.version for pull in registry.pulls(ROOT, dataset.name)} == {each.version for each in versions}
        assert len(registry.pulls(ROOT, dataset.name)) == len(versions)
    runs = registry.runs(limit=1_000)
    assert len(runs) == NUM_PUBLISHERS * (NUM_OWN + NUM_CONTESTED)
    for run in runs:
        assert len(registry.metrics(run.id)) == (5 if run.state == "published" else 0)
        assert run.state == ("published" if run.version else "failed")
