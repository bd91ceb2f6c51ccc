"""What each process of test_registry_concurrency.py does: a file of its own, which a spawned process can import."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from groupstream.manifest import Manifest
from registry import Registry, RegistryError


def write(url: str, start: Any, results: Any, manifests: list[Manifest], process_index: int) -> None:
    start.wait()
    try:
        with closing(Registry(url)) as registry:
            results.put([record(registry, manifest, process_index) for manifest in manifests])
    except Exception as error:  # the test shows it, where a process that only died would let it wait
        results.put([repr(error)])


def record(registry: Registry, manifest: Manifest, process_index: int) -> str:
    run_id = f"{process_index}-{manifest.ref}"
    registry.start_run(run_id, manifest.name, manifest.digest)
    try:
        registry.reserve_version(manifest, f"/data/{process_index}")
        registry.record_published(manifest, f"/data/{process_index}", datetime.now(UTC))
    except RegistryError as error:
        registry.finish_run(run_id, "failed", error=str(error))
        return "refused" if "a version never changes" in str(error) else repr(error)
    registry.finish_run(run_id, "published", manifest.version)
    return "published"
