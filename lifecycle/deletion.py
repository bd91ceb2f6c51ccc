"""Deleting versions. A process that dies on the way is finished by doing it again, by the doctor, or by `gc`.

1. `tombstone.json` in the folder of the version: who deletes it, when and why. From here on it will be deleted.
2. The catalog says so: nobody opens the version any more. Who has it open reads on.
3. After a period of grace the manifest goes, then all other files. The claim and the tombstone stay: no other build
   ever gets the number.

What a build that died left behind goes the same way, as it may be going on this moment: it then finds its number
deleted, instead of files missing in a version that it publishes.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from groupstream import CorruptError, RefNotFoundError, UsageError, layout
from groupstream.actor import current_actor
from groupstream.catalog import CatalogVersion, DatasetCatalog, read_catalog
from groupstream.catalog.changes import set_deleted
from groupstream.layout import is_name, is_version, version_key
from groupstream.manifest import FORMAT_VERSION, Manifest
from groupstream.refs import published_versions
from groupstream.stores import Store
from lifecycle.announcing import announce
from lifecycle.changing import change_catalog
from lifecycle.claims import claim_of
from lifecycle.folders import VersionFolder, remove_files, version_folder
from lifecycle.tombstones import Tombstone, read_tombstone, write_tombstone

if TYPE_CHECKING:
    from registry import Registry

GRACE = timedelta(hours=24)
MAX_REASON_CHARACTERS = 1_000


class Deletion(NamedTuple):
    """A version that is, or would be, deleted.

    Attributes:
        tombstone: who deletes it, when and why; that of whoever was first.
        files_go_at: from when on its files may be removed.
        num_bytes: of its files.
        freed_bytes: how many of them are gone now.
    """

    ref: str
    tombstone: Tombstone
    files_go_at: datetime
    num_bytes: int
    freed_bytes: int = 0


def plan_deletion(
    store: Store,
    name: str,
    version: str,
    reason: str,
    *,
    grace: timedelta = GRACE,
    allow_last: bool = False,
    by: str = "",
    now: datetime | None = None,
) -> Deletion:
    """What `delete_version` would do. Writes nothing.

    Raises:
        As `delete_version`.
    """
    _refuse_impossible(name, version, reason)
    folder = version_folder(store, name, version)
    tombstone = read_tombstone(store, folder.path)
    if tombstone is None:
        _refuse(store, folder, allow_last)
        digest = claim_of(store, folder.path).digest
        tombstone = Tombstone(at=now or datetime.now(UTC), by=by or current_actor(), reason=reason, digest=digest)
    return Deletion(folder.ref, tombstone, tombstone.at + grace, folder.payload_bytes)


def delete_version(
    store: Store,
    registry: Registry | None,
    name: str,
    version: str,
    reason: str,
    *,
    grace: timedelta = GRACE,
    allow_last: bool = False,
    by: str = "",
    now: datetime | None = None,
) -> Deletion:
    """Deletes a version. Again: goes on where it stopped, and removes the files once the grace is over.

    Args:
        reason: for people, in the catalog and the tombstone.
        grace: how long its files stay for those who read them this moment; 0 for not at all.
        allow_last: whether it may be the last version of the dataset that can be read.
        by: who does it. Default: who runs this process.
        now: with a time zone.

    Raises:
        UsageError: an alias leads to it, or it is the last one.
        RefNotFoundError: there is no such version.
        CorruptError: newer code wrote it, or what is in the folder cannot be understood.
        PublishError: the store refuses a write.
        RegistryError: the store has the change, the registry does not: do it again.
    """
    moment = now or datetime.now(UTC)
    planned = plan_deletion(store, name, version, reason, grace=grace, allow_last=allow_last, by=by, now=moment)
    folder = version_folder(store, name, version)
    _make_known(store, folder)
    tombstone = write_tombstone(store, folder.path, planned.tombstone)
    catalog = mark_deleted(store, registry, folder, tombstone, allow_last=allow_last, now=moment)
    files_go_at = deleted_since(catalog, version, tombstone) + grace
    freed = collect_deleted(store, version_folder(store, name, version)) if moment >= files_go_at else 0
    return planned._replace(tombstone=tombstone, files_go_at=files_go_at, freed_bytes=freed)


def mark_deleted(
    store: Store,
    registry: Registry | None,
    folder: VersionFolder,
    tombstone: Tombstone,
    *,
    allow_last: bool = True,
    now: datetime | None = None,
) -> DatasetCatalog:
    """The second step: the catalog says that a version with a tombstone is deleted. Gives the catalog.

    Raises:
        UsageError: it may not go: an alias was set meanwhile, or it became the last one. The tombstone is withdrawn.
    """

    def change(catalog: DatasetCatalog) -> DatasetCatalog:
        if catalog.get(folder.version) is None:
            return with_taken_number(catalog, folder.version, tombstone)
        if not allow_last and catalog.readable() == [folder.version]:
            raise _last_one(folder.ref)
        return set_deleted(catalog, folder.version, tombstone.reason, now or datetime.now(UTC), tombstone.by)

    try:
        return change_catalog(store, registry, folder.name, change).after
    except UsageError:
        store.delete(f"{folder.path}/{layout.TOMBSTONE}")
        raise


def deleted_since(catalog: DatasetCatalog, version: str, tombstone: Tombstone) -> datetime:
    """From when on nobody could open the version: later than the tombstone where the deleter died in between."""
    entry = catalog.get(version)
    return max(tombstone.at, entry.changed_at) if entry is not None and entry.changed_at else tombstone.at


def collect_deleted(store: Store, folder: VersionFolder) -> int:
    """The third step: the files go, the manifest first. How many bytes they had.

    Raises:
        PublishError: the store refuses.
    """
    manifest, others = (
        [file for file in folder.payload if (file.path == f"{folder.path}/{layout.MANIFEST}") is is_manifest]
        for is_manifest in (True, False)
    )
    return remove_files(store, manifest) + remove_files(store, others)


def abandon_version(store: Store, registry: Registry | None, folder: VersionFolder, reason: str, by: str = "") -> int:
    """Removes what a build that died left of a version that it did not publish. The number stays taken.

    Returns:
        How many bytes were freed. None were where the build went on meanwhile and published the version.

    Raises:
        PublishError: the store refuses a write.
    """
    digest = claim_of(store, folder.path).digest
    said = Tombstone(at=datetime.now(UTC), by=by or current_actor(), reason=reason, digest=digest)
    tombstone = write_tombstone(store, folder.path, said)

    def change(catalog: DatasetCatalog) -> DatasetCatalog:
        is_new = catalog.get(folder.version) is None
        return with_taken_number(catalog, folder.version, tombstone) if is_new else catalog

    is_published = store.size_bytes(f"{folder.path}/{layout.MANIFEST}") is not None
    if is_published or folder.version in change_catalog(store, registry, folder.name, change).after.readable():
        store.delete(f"{folder.path}/{layout.TOMBSTONE}")
        return 0
    if registry is not None:
        registry.record_failed(store.root, folder.name, folder.version, digest)
    return collect_deleted(store, version_folder(store, folder.name, folder.version))


def with_taken_number(catalog: DatasetCatalog, version: str, tombstone: Tombstone) -> DatasetCatalog:
    """A catalog that knows of a deleted version of which there is nothing but the tombstone."""
    entry = CatalogVersion(
        version=version,
        digest=tombstone.digest,
        manifest_sha256="",
        state="deleted",
        message=tombstone.reason,
        published_at=tombstone.at,
        changed_at=tombstone.at,
        changed_by=tombstone.by,
    )
    versions = sorted((*catalog.versions, entry), key=lambda each: version_key(each.version))
    return catalog.model_copy(update={"versions": tuple(versions)})


def _make_known(store: Store, folder: VersionFolder) -> None:
    """A version that nobody was told of is announced, so that its figures stay in the catalog."""
    catalog = read_catalog(store, folder.name)
    if folder.has_manifest and (catalog is None or catalog.get(folder.version) is None):
        content = store.read(f"{folder.path}/{layout.MANIFEST}")
        manifest = _manifest_or_none(content)
        if manifest is not None and (manifest.name, manifest.version) == (folder.name, folder.version):
            announce(store, None, manifest, content)


def _manifest_or_none(content: bytes) -> Manifest | None:
    try:
        return Manifest.from_json(content, layout.MANIFEST)
    except CorruptError:
        return None


def _refuse_impossible(name: str, version: str, reason: str) -> None:
    if not is_name(name) or not is_version(version):
        raise UsageError(f"{name}@{version} is not a version; write its name and its number, such as text@1.0.0")
    if not reason.strip() or len(reason) > MAX_REASON_CHARACTERS:
        raise UsageError(
            f"a reason of {len(reason):,} characters; say in at most {MAX_REASON_CHARACTERS:,} why {name}@{version} "
            "is deleted, which readers are told"
        )


def _refuse(store: Store, folder: VersionFolder, allow_last: bool) -> None:
    catalog = read_catalog(store, folder.name) or DatasetCatalog(name=folder.name)
    entry = catalog.get(folder.version)
    if not folder.has_manifest and entry is None:
        raise _not_published(store, folder)
    _refuse_newer(store, folder)
    held = [alias for alias in catalog.aliases_of(folder.version) if alias != "latest"]
    if held:
        raise UsageError(
            f"{folder.ref} has the alias {', '.join(held)}; move it first with: groupstream tag REF {held[0]}, or: "
            f"groupstream untag {folder.name} {held[0]}"
        )
    if not allow_last and (entry is None or entry.is_readable) and not _others(store, catalog, folder):
        raise _last_one(folder.ref)


def _others(store: Store, catalog: DatasetCatalog, folder: VersionFolder) -> set[str]:
    """The other versions that can be read, those included that the catalog lacks."""
    deleted = {each.version for each in catalog.versions if not each.is_readable}
    return {*catalog.readable(), *published_versions(store, folder.name)} - deleted - {folder.version}


def _refuse_newer(store: Store, folder: VersionFolder) -> None:
    try:
        fields = json.loads(store.read(f"{folder.path}/{layout.MANIFEST}"))
    except (FileNotFoundError, ValueError):
        return
    found = fields.get("format_version") if isinstance(fields, dict) else None
    if isinstance(found, int) and found > FORMAT_VERSION:
        raise CorruptError(
            f"{folder.ref} has format {found}, this library knows up to {FORMAT_VERSION}, and does not delete what it "
            "does not know; upgrade with: pip install -U groupstream"
        )


def _last_one(ref: str) -> UsageError:
    return UsageError(f"{ref} is the last version of its dataset that can be read; delete it nevertheless with --last")


def _not_published(store: Store, folder: VersionFolder) -> RefNotFoundError:
    if folder.files:
        return RefNotFoundError(
            f"{folder.ref} is not published: a build writes it, or has died. What such builds left goes with: "
            f"groupstream gc {folder.name}"
        )
    return RefNotFoundError(
        f"{folder.ref} not found in {store.root}. List the versions with: groupstream ls {folder.name}"
    )
