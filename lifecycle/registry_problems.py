"""What can be wrong between a store and the registry. The store is the truth; the registry gets a copy."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from groupstream import layout
from groupstream.catalog import CatalogVersion, DatasetCatalog, update_catalog
from groupstream.manifest import Manifest
from groupstream.stores import Store
from lifecycle.claims import claim_of
from lifecycle.findings import Problem
from lifecycle.folders import VersionFolder, version_folders
from lifecycle.leftovers import is_running
from lifecycle.pull_records import find_pulls, move_pulls
from lifecycle.rebuilding import Remembered, remember
from lifecycle.store_problems import sound_catalog

if TYPE_CHECKING:
    from registry import Registry, VersionRecord

ABANDONED = timedelta(hours=24)
LONG_RUN = timedelta(hours=24)
_PULLS_AT_ONCE = 1_000
_MAX_RUNS = 1_000


def registry_problems(store: Store, registry: Registry, name: str, now: datetime) -> Iterator[Problem]:
    """What is wrong with the copy of a dataset's catalog."""
    remembered = remember(registry, store.root, name)  # before the catalog, which only becomes newer
    catalog = sound_catalog(store, name) or DatasetCatalog(name=name)
    folders = {folder.version: folder for folder in version_folders(store, name)}
    for row in remembered.rows.values():
        folder = folders.get(row.version) or VersionFolder(name, row.version, {})
        yield from _row_problems(store, registry, row, folder, catalog.get(row.version), now)
    wrong = [entry for entry in catalog.versions if _is_other_build(entry, remembered.rows.get(entry.version))]
    for entry in wrong:
        yield Problem(
            "registry_conflict",
            f"{name}@{entry.version}",
            f"has digest {entry.digest[:12]}, and {remembered.rows[entry.version].digest[:12]} in the registry",
            "a version never changes: restore the store, or set GROUPSTREAM_REGISTRY_URL to a new registry",
        )
    if not wrong and catalog.revision:
        yield from _copy_problems(store, registry, catalog, folders, remembered)


def pull_problems(store: Store, registry: Registry) -> Iterator[Problem]:
    """Records of pulls that wait for the registry."""
    found = find_pulls(store)
    for start in range(0, len(found.pulls), _PULLS_AT_ONCE):
        some = found.pulls[start : start + _PULLS_AT_ONCE]
        move = functools.partial(move_pulls, store, registry, some)
        wrong = f"{len(some):,} records of pulls are in the store"
        yield Problem("pulls_waiting", layout.PULLS, wrong, "bring them into the registry", move)
    for file in found.broken:
        remove = functools.partial(store.delete, file.path)
        yield Problem("pull_broken", file.path, "is no record of a pull", "remove it", remove)


def run_problems(store: Store, registry: Registry, now: datetime) -> Iterator[Problem]:
    """Runs that have been running for very long. A machine that was switched off says nobody that its runs ended."""
    for run in registry.runs(limit=_MAX_RUNS, root=store.root):
        if run.state == "running" and now - run.started_at > LONG_RUN:
            hours = (now - run.started_at) / timedelta(hours=1)
            wrong = f"run {run.id} has been running for {hours:,.0f} hours"
            way_out = "look at it in Prefect; if it has ended there, the flow maintain records that"
            yield Problem("run_long", run.dataset, wrong, way_out, is_note=True)


def _row_problems(
    store: Store,
    registry: Registry,
    row: VersionRecord,
    folder: VersionFolder,
    entry: CatalogVersion | None,
    now: datetime,
) -> Iterator[Problem]:
    """What the registry says of a version that is not there."""
    if folder.has_manifest or (entry is not None and not entry.is_readable):
        return
    if row.state == "pending" and entry is None and _is_dead(store, registry, row, folder, now):
        mend = functools.partial(registry.record_failed, store.root, row.name, row.version, row.digest)
        yield Problem("build_dead", row.ref, "is pending, and no run builds it any more", "record that it failed", mend)
    elif row.state in ("published", "deprecated"):
        missing = functools.partial(registry.record_missing, store.root, row.name, row.version)
        wrong = f"is {row.state} in the registry, and has no manifest in the store"
        yield Problem("registry_ahead", row.ref, wrong, "record that the store does not hold it", missing)
        if entry is None:  # else it is in the catalog, and was told of already
            way_out = "copy its folder back, and run the doctor again; or go on without it"
            yield Problem("version_lost", row.ref, "was published, and is gone from the store", way_out)


def _copy_problems(
    store: Store,
    registry: Registry,
    catalog: DatasetCatalog,
    folders: Mapping[str, VersionFolder],
    remembered: Remembered,
) -> Iterator[Problem]:
    root, rows = store.root, remembered.rows
    there = [each for each in catalog.versions if each.version in folders and folders[each.version].has_manifest]
    for entry in there:
        row = rows.get(entry.version)
        if entry.is_readable and (row is None or not row.has_manifest or row.state in ("pending", "failed")):
            mend = functools.partial(_record, store, registry, folders[entry.version], entry)
            state = "is not in the registry" if row is None else f"is {row.state} in the registry"
            yield Problem("registry_behind", f"{catalog.name}@{entry.version}", state, "record it", mend)
    if remembered.revision > catalog.revision:
        wrong = f"has revision {catalog.revision}, and {remembered.revision} in the registry"
        mend = functools.partial(_count_on, store, catalog.name, remembered.revision)
        yield Problem("catalog_older", f"{catalog.name}/{layout.CATALOG}", wrong, "count on from there", mend)
        catalog = sound_catalog(store, catalog.name) or catalog
    if different := _differences(catalog, folders, remember(registry, root, catalog.name)):
        sync = functools.partial(_sync, registry, root, catalog, folders)
        wrong = f"differs in the registry: {different[0]}"
        yield Problem("registry_behind", catalog.name, wrong, "copy the catalog into the registry", sync)


def _differences(catalog: DatasetCatalog, folders: Mapping[str, VersionFolder], remembered: Remembered) -> list[str]:
    """In which ways the registry says something else. Versions that are lost are told of elsewhere."""
    found = []
    for entry in catalog.versions:
        is_lost = entry.is_readable and not (entry.version in folders and folders[entry.version].has_manifest)
        row = remembered.rows.get(entry.version)
        if not is_lost and (row is None or (row.state, row.message) != (entry.state, entry.message)):
            found.append(f"{entry.version} is {entry.state}")
    if remembered.aliases != catalog.aliases:
        aliases = remembered.aliases.items() ^ catalog.aliases.items()
        found.append(f"the alias {min(alias for alias, _ in aliases)}")
    if remembered.revision != catalog.revision:
        found.append(f"the catalog was changed {catalog.revision} times")
    return found


def _count_on(store: Store, name: str, revision: int) -> None:
    """Leads the revision of a catalog past that of the registry. Whatever else it says by now stays."""

    def change(catalog: DatasetCatalog) -> DatasetCatalog:
        return catalog.model_copy(update={"revision": max(catalog.revision, revision)})

    update_catalog(store, name, change)


def _sync(registry: Registry, root: str, catalog: DatasetCatalog, folders: Mapping[str, VersionFolder]) -> None:
    registry.sync_catalog(root, catalog)
    for entry in catalog.versions:
        if entry.is_readable and not (entry.version in folders and folders[entry.version].has_manifest):
            registry.record_missing(root, catalog.name, entry.version)


def _record(store: Store, registry: Registry, folder: VersionFolder, entry: CatalogVersion) -> None:
    path = f"{folder.path}/{layout.MANIFEST}"
    manifest = Manifest.from_json(store.read(path), f"{store.root}/{path}")
    registry.record_published(manifest, store.root, entry.published_at, run_id=entry.run)


def _is_dead(store: Store, registry: Registry, row: VersionRecord, folder: VersionFolder, now: datetime) -> bool:
    since = claim_of(store, folder.path).created_at or row.created_at
    return now - since >= ABANDONED and not is_running(registry, store.root, row.name, row.digest, now)


def _is_other_build(entry: CatalogVersion, row: VersionRecord | None) -> bool:
    settled = row is not None and row.state in ("published", "deprecated", "deleted")
    return row is not None and settled and row.digest != entry.digest
