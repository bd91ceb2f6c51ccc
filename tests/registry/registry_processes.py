"""What each process of test_registry_concurrency.py does: a file of its own, which a spawned process can import.

The catalog in the store is a JSON file here, which a lock stands in for compare and swap: whoever changes it copies it
into the registry only afterwards, so that copies arrive late and in any order.
"""

from __future__ import annotations

import fcntl
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from groupstream.catalog import DatasetCatalog, describe_published
from groupstream.catalog.changes import add_version, set_alias
from groupstream.layout import version_key
from groupstream.manifest import Manifest
from registry import Metric, PullRecord, Registry, RegistryError

ROOT = "/data"


def run_in_process(work: Callable[..., list[str]], start: Any, results: Any, *arguments: Any) -> None:
    start.wait()
    try:
        results.put(work(*arguments))
    except BaseException as error:  # the test shows it, where a process that only died would let it wait
        results.put([repr(error)])


def publish_all(url: str, folder: Path, manifests: list[Manifest], publisher: int) -> list[str]:
    """Opens the registry too: the first of all processes makes the tables."""
    with closing(Registry(url)) as registry:
        return [publish(registry, folder, manifest, publisher) for manifest in manifests]


def publish(registry: Registry, folder: Path, manifest: Manifest, publisher: int) -> str:
    run_id = f"{publisher}-{manifest.ref}"
    registry.start_run(run_id, ROOT, manifest.name, manifest.digest)
    try:
        registry.reserve_version(manifest, ROOT, run_id)
        registry.record_published(manifest, ROOT, datetime.now(UTC), run_id)
    except RegistryError as error:
        registry.finish_run(run_id, "failed", error=str(error))
        return "refused" if "a version never changes" in str(error) else repr(error)
    registry.sync_catalog(ROOT, announce(folder, manifest, run_id))
    registry.finish_run(run_id, "published", manifest.version)
    registry.record_metrics(run_id, [Metric("loss", 1 / (step + 1), step) for step in range(5)])
    registry.record_use(run_id, ROOT, manifest.name, manifest.version)
    pull = PullRecord(run_id, manifest.name, manifest.version, datetime.now(UTC), str(publisher), ["train"], 10)
    for _ in range(2):
        registry.record_pulls(ROOT, [pull])
    return "published"


def announce(folder: Path, manifest: Manifest, by: str) -> DatasetCatalog:
    path = folder / f"{manifest.name}.json"
    with open(folder / f"{manifest.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        catalog = (
            DatasetCatalog.from_json(path.read_bytes(), "") if path.exists() else DatasetCatalog(name=manifest.name)
        )
        now = datetime.now(UTC)
        catalog = add_version(catalog, describe_published(manifest, manifest.to_json(), now, by), by=by)
        catalog = set_alias(catalog, "stable", manifest.version, datetime.now(UTC), by)
        catalog = catalog.model_copy(update={"revision": catalog.revision + 1})
        path.write_bytes(catalog.to_json())
    time.sleep(random.random() / 50)
    return catalog


def read_all(url: str, names: list[str], until: Any, num_threads: int) -> list[str]:
    """What is wrong with what the threads saw, and how often they looked."""
    with closing(Registry(url)) as registry, ThreadPoolExecutor(num_threads) as pool:
        readers = [pool.submit(read, registry, names[i % len(names)], until) for i in range(num_threads)]
        found = [reader.result() for reader in readers]
    return [problem for problems, _ in found for problem in problems] + [str(min(looks for _, looks in found))]


def read(registry: Registry, name: str, until: Any) -> tuple[list[str], int]:
    problems: list[str] = []
    newest, last_revision, looks = (0, 0, 0), 0, 0
    while not until.is_set() or not looks:
        (dataset,) = [each for each in registry.datasets(ROOT) if each.name == name] or [None]
        if dataset is not None and dataset.aliases:
            states = {each.version: each.state for each in registry.versions(name, ROOT)}
            aims = {alias: states.get(version) for alias, version in dataset.aliases.items()}
            latest = version_key(dataset.aliases["latest"])
            problems += [f"{name} {alias} -> {state}" for alias, state in aims.items() if state != "published"]
            problems += [f"{name} latest {newest} then {latest}"] if latest < newest else []
            problems += [f"{name} {last_revision} then less"] if dataset.catalog_revision < last_revision else []
            newest, last_revision = latest, dataset.catalog_revision
        looks += 1
        time.sleep(random.random() / 5)
    return problems, looks
