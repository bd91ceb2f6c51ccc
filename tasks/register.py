"""Records runs and versions: the versions in the catalog of their store, both in the registry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from prefect.assets import add_asset_metadata, materialize
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run
from prefect.utilities.urls import url_for

from groupstream import layout
from groupstream.catalog import read_catalog
from groupstream.manifest import CheckResult, Manifest
from groupstream.stores import Store
from lifecycle.announcing import announce
from pipelines.draft import code_versions
from pipelines.plan import Plan
from registry import Registry, RegistryError
from sources.groupstream_version import GroupstreamVersion
from tasks.assets import MADE_BY, dataset_asset, published_payload
from tasks.masking import masked
from tasks.reporting import Stages
from tasks.retrying import is_transient
from tasks.time_limit import public_error


class RecordedRun:
    """A run of the build flow, as the registry keeps it."""

    def __init__(self, registry: Registry, plan: Plan, store: Store, stages: Stages) -> None:
        self.id = str(flow_run.id)
        self._registry = registry
        self._plan = plan
        self._store = store
        self._stages = stages
        self._reserved: Manifest | None = None
        registry.start_run(
            self.id,
            store.root,
            plan.spec.name,
            plan.digest,
            self.id,
            spec=plan.spec.resolved(),
            source=plan.source,
            code=code_versions(),
            prefect_url=url_for("flow-run", obj_id=flow_run.id),
        )
        if (used := _used_version(plan)) is not None:
            registry.record_use(self.id, *used)

    def claim(self) -> dict[str, Any]:
        """What a version's claim says of this run: the things that may differ between builds of the same version."""
        source = self._plan.spec.source
        return {
            "run": self.id,
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "source": source.model_dump(mode="json", include=set(source.places)),
            "aliases": list(self._plan.spec.publish.aliases),
        }

    @property
    def root(self) -> str:
        """Where the versions of the run lie."""
        return self._store.root

    def is_announced(self, manifest: Manifest) -> bool:
        """Whether a version that is there was made known: what wrote it may have died before."""
        catalog = read_catalog(self._store, manifest.name)
        return catalog is not None and catalog.get(manifest.version) is not None

    def unchanged(self, manifest: Manifest) -> None:
        """The version was there already. If it is not in the catalog or the registry, it comes there now."""
        content = self._store.read(f"{manifest.name}/{manifest.version}/{layout.MANIFEST}")
        announce(self._store, self._registry, manifest, content)
        self._registry.finish_run(self.id, "unchanged", manifest.version, self._stages.seconds)

    def checked(self, results: Sequence[CheckResult], report: str | None) -> None:
        """The checks have been run, and may have failed."""
        self._registry.record_checks(self.id, results, report)

    def reserved(self, manifest: Manifest) -> None:
        """The version is about to be written."""
        self._registry.reserve_version(manifest, self._store.root, self.id)
        self._reserved = manifest

    def published(self, manifest: Manifest) -> None:
        """The version is written."""
        announce(
            self._store,
            self._registry,
            manifest,
            manifest.to_json(),
            aliases=self._plan.spec.publish.aliases,
            run=self.id,
            published_at=datetime.now(UTC),
        )
        self._registry.finish_run(self.id, "published", manifest.version, self._stages.seconds)

    def failed(self, error: BaseException) -> None:
        """The run ended with an error."""
        error = public_error(error)
        if self._reserved is not None:
            version = self._reserved
            self._registry.record_failed(self._store.root, version.name, version.version, version.digest)
        text = masked(f"{type(error).__name__}: {error}")
        self._registry.finish_run(self.id, "failed", stage_seconds=self._stages.seconds, error=text)


@contextmanager
def recorded_run(plan: Plan, store: Store, registry_url: str, stages: Stages) -> Iterator[RecordedRun]:
    """Records a run from its start to its end, however it ends."""
    registry = Registry(registry_url)
    try:
        run = RecordedRun(registry, plan, store, stages)
        try:
            yield run
        except BaseException as error:
            with suppress(RegistryError):  # the error of the build matters more than its record
                run.failed(error)
            raise
    finally:
        registry.close()


@materialize(
    "groupstream://dataset",  # each call names its own
    by=MADE_BY,
    name="register",
    task_run_name="register {manifest.ref}",
    retries=3,
    retry_delay_seconds=5,
    retry_condition_fn=is_transient,
    cache_policy=NO_CACHE,
)
def _register(run: RecordedRun, manifest: Manifest, is_found: bool) -> None:
    """Makes the version known: in the catalog of its store, then in the registry, then by an event."""
    (run.unchanged if is_found else run.published)(manifest)
    add_asset_metadata(dataset_asset(run.root, manifest), published_payload(run.root, manifest))


def register(run: RecordedRun, manifest: Manifest, is_found: bool = False) -> None:
    """Runs the task that makes a version known. With its success, Prefect says that the dataset has a new version.

    Args:
        is_found: that the version was not written by this run.
    """
    _register.with_options(assets=[dataset_asset(run.root, manifest)])(run, manifest, is_found)


def register_found(run: RecordedRun, manifest: Manifest) -> None:
    """Records that there was nothing to build, and does what the run that wrote the version may have left undone."""
    if run.is_announced(manifest):
        run.unchanged(manifest)
    else:
        register(run, manifest, is_found=True)


def _used_version(plan: Plan) -> tuple[str, str, str] | None:
    """The root, name and version that the plan reads, where its source is a version."""
    if not isinstance(plan.spec.source, GroupstreamVersion) or not plan.pieces:
        return None
    location: str = plan.pieces[0].part[0]
    name, _, version = str(plan.source["ref"]).partition("@")
    return location.removesuffix(f"/{name}/{version}"), name, version
