"""Records runs and versions in the registry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run

from groupstream.manifest import CheckResult, Manifest
from pipelines.plan import Plan
from registry import Registry, RegistryError
from tasks.reporting import Stages


class RecordedRun:
    """A run of the build flow, as the registry keeps it."""

    def __init__(self, registry: Registry, plan: Plan, root: str, stages: Stages) -> None:
        self.id = str(flow_run.id)
        self._registry = registry
        self._stages = stages
        self._places = plan.spec.source.model_dump(mode="json", include=set(plan.spec.source.places))
        registry.start_run(self.id, root, plan.spec.name, plan.digest, self.id)

    def claim(self) -> dict[str, Any]:
        """What a version's claim says of this run: the things that may differ between builds of the same version."""
        return {"run": self.id, "created_at": datetime.now(UTC).isoformat(timespec="seconds"), "source": self._places}

    def unchanged(self, manifest: Manifest, location: str) -> None:
        """The version was there already; if its record is not, it is made now."""
        self._registry.record_published(manifest, _root_of(location), datetime.now(UTC))
        self._registry.finish_run(self.id, "unchanged", manifest.version, self._stages.seconds)

    def checked(self, results: Sequence[CheckResult], report: str | None) -> None:
        """The checks have been run, and may have failed."""
        self._registry.record_checks(self.id, results, report)

    def reserved(self, manifest: Manifest, location: str) -> None:
        """The version is about to be written."""
        self._registry.reserve_version(manifest, _root_of(location), self.id)

    def published(self, manifest: Manifest, location: str) -> None:
        """The version is written."""
        self._registry.record_published(manifest, _root_of(location), datetime.now(UTC), self.id)
        self._registry.finish_run(self.id, "published", manifest.version, self._stages.seconds)

    def failed(self, error: BaseException) -> None:
        """The run ended with an error."""
        self._registry.finish_run(
            self.id, "failed", stage_seconds=self._stages.seconds, error=f"{type(error).__name__}: {error}"
        )


@contextmanager
def recorded_run(plan: Plan, root: str, registry_url: str, stages: Stages) -> Iterator[RecordedRun]:
    """Records a run from its start to its end, however it ends."""
    registry = Registry(registry_url)
    try:
        run = RecordedRun(registry, plan, root, stages)
        try:
            yield run
        except BaseException as error:
            with suppress(RegistryError):  # the error of the build matters more than its record
                run.failed(error)
            raise
    finally:
        registry.close()


@task(name="register", retries=3, retry_delay_seconds=5, cache_policy=NO_CACHE)
def register(run: RecordedRun, manifest: Manifest, location: str) -> None:
    """Records the published version."""
    run.published(manifest, location)


def _root_of(location: str) -> str:
    """A version lies in `<root>/<name>/<version>`."""
    return location.rsplit("/", 2)[0]
