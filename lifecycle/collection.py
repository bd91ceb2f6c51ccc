"""Garbage collection of a store: a plan that people read first, and its execution, item by item."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from groupstream import GroupstreamError, RefNotFoundError
from groupstream.catalog import DatasetCatalog, dataset_names, read_catalog
from groupstream.catalog.changes import add_version
from groupstream.stores import Store
from lifecycle.announcing import found_versions
from lifecycle.deletion import abandon_version, collect_deleted, delete_version
from lifecycle.folders import VersionFolder, remove_files, version_folder, version_folders
from lifecycle.leftovers import Item, abandoned_items, deleted_items, pull_items, report_items, staging_items
from lifecycle.pull_records import Pull, find_pulls, last_used
from lifecycle.retention import RetentionPolicy, plan_retention

if TYPE_CHECKING:
    from registry import Registry


class Kept(NamedTuple):
    """A version that stays, and what keeps it."""

    ref: str
    reason: str


class CollectionPlan(NamedTuple):
    """What goes now, what goes once its grace is over, and what stays."""

    items: list[Item]
    waiting: list[Item]
    kept: list[Kept]


class Collected(NamedTuple):
    """What became of an item of the plan.

    Attributes:
        freed_bytes: now; nothing for a version whose grace begins.
        error: why it stays, if it does.
    """

    item: Item
    freed_bytes: int
    error: str | None = None


def plan_collection(
    store: Store,
    registry: Registry | None,
    policy: RetentionPolicy,
    name: str | None = None,
    now: datetime | None = None,
) -> CollectionPlan:
    """What goes by a policy, of one dataset or of all. Writes nothing.

    Raises:
        RefNotFoundError: there is no such dataset.
        CorruptError: a catalog is none.
        StoreError: the store cannot be reached, or does not allow it.
        RegistryError: the registry cannot be asked, so nobody knows what is in use.
    """
    moment, names = now or datetime.now(UTC), dataset_names(store)
    if name is not None and name not in names:
        raise RefNotFoundError(f"no dataset {name!r} in {store.root}; there are: {', '.join(names) or 'none'}")
    pulls = find_pulls(store, name).pulls
    plan = CollectionPlan([], [], [])
    for each in names if name is None else [name]:
        _plan_dataset(plan, store, registry, policy, each, pulls, moment)
    plan.items.extend(pull_items(pulls, policy, moment))
    if name is None:
        plan.items.extend(staging_items(store, policy, moment))
    return plan


def collect(
    store: Store, registry: Registry | None, plan: CollectionPlan, policy: RetentionPolicy, by: str = ""
) -> Iterator[Collected]:
    """Does what was planned, an item at a time. What fails is told, and the next one comes.

    Args:
        by: who does it. Default: who runs this process.
    """
    for item in plan.items:
        try:
            yield Collected(item, _collect(store, registry, item, policy, by))
        except GroupstreamError as error:
            yield Collected(item, 0, str(error))


def _plan_dataset(
    plan: CollectionPlan,
    store: Store,
    registry: Registry | None,
    policy: RetentionPolicy,
    name: str,
    pulls: list[Pull],
    now: datetime,
) -> None:
    folders, catalog = version_folders(store, name), _known(store, name)
    used = last_used(registry, store.root, name, pulls)
    inside = {folder.version: folder for folder in folders}
    for version, is_kept, reason in plan_retention(_existing(catalog, inside), used, policy, now):
        ref = f"{name}@{version}"
        if is_kept:
            plan.kept.append(Kept(ref, reason))
        else:
            plan.items.append(Item("version", ref, reason, tuple(inside[version].payload), now + policy.grace))
    for item in deleted_items(store, catalog, folders, policy, now):
        is_waiting = item.kind == "deleted version" and item.free_from is not None and item.free_from > now
        (plan.waiting if is_waiting else plan.items).append(item)
    plan.items.extend(abandoned_items(store, registry, folders, policy, now))
    plan.items.extend(report_items(store, name, policy, now))


def _known(store: Store, name: str) -> DatasetCatalog:
    """The catalog with the versions that it lacks."""
    catalog = read_catalog(store, name) or DatasetCatalog(name=name)
    for found in found_versions(store, name, [each.version for each in catalog.versions]):
        catalog = add_version(catalog, found)
    return catalog


def _existing(catalog: DatasetCatalog, inside: dict[str, VersionFolder]) -> DatasetCatalog:
    """The catalog without the versions that are not there any more, or are being deleted."""
    there = {version for version, folder in inside.items() if folder.has_manifest and not folder.has_tombstone}
    versions = tuple(each for each in catalog.versions if each.version in there)
    return catalog.model_copy(update={"versions": versions})


def _collect(store: Store, registry: Registry | None, item: Item, policy: RetentionPolicy, by: str) -> int:
    name, _, version = item.ref.partition("@")
    if item.kind == "version":
        reason = f"retention: {item.why}"
        return delete_version(store, registry, name, version, reason, grace=policy.grace, by=by).freed_bytes
    if item.kind == "deleted version":
        return collect_deleted(store, version_folder(store, name, version))
    if item.kind == "unfinished build":
        return abandon_version(store, registry, version_folder(store, name, version), item.why, by)
    return remove_files(store, item.files)
