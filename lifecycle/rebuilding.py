"""A catalog made anew from the folders of its dataset, and from what the registry still knows of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from groupstream import CorruptError, PublishError, layout
from groupstream.catalog import (
    LATEST,
    AliasMove,
    CatalogVersion,
    DatasetCatalog,
    describe_published,
    ensure_listed,
)
from groupstream.catalog.changes import MAX_MOVES, add_version, set_alias
from groupstream.catalog.model import CATALOG_FORMAT
from groupstream.manifest import Manifest
from groupstream.stores import Store
from lifecycle.claims import claim_of
from lifecycle.deletion import with_taken_number
from lifecycle.folders import VersionFolder
from lifecycle.tombstones import read_tombstone

if TYPE_CHECKING:
    from registry import Registry, VersionRecord


class Remembered(NamedTuple):
    """What the registry knows of a dataset and the folders do not say."""

    rows: dict[str, VersionRecord] = {}  # noqa: RUF012 - nobody changes it
    aliases: dict[str, str] = {}  # noqa: RUF012
    history: tuple[AliasMove, ...] = ()
    revision: int = 0


def remember(registry: Registry | None, root: str, name: str) -> Remembered:
    """Asks the registry; there is nothing where there is none."""
    if registry is None:
        return Remembered()
    moves = registry.alias_history(root, name)
    return Remembered(
        rows={row.version: row for row in registry.versions(name, root=root)},
        aliases=registry.aliases(root, name),
        history=tuple(AliasMove(alias=m.alias, version=m.version, at=m.at, by=m.by) for m in moves)[-MAX_MOVES:],
        revision=max((d.catalog_revision for d in registry.datasets(root) if d.name == name), default=0),
    )


def rebuilt_catalog(
    store: Store, name: str, folders: Sequence[VersionFolder], remembered: Remembered, by: str
) -> DatasetCatalog:
    """A catalog of what is in the folders. Writes nothing.

    Aliases, their history and deprecations are those of the registry. Versions that it does not know are added as if
    they were published now, in the order of their numbers: the aliases of their claims lead to them.
    """
    catalog = DatasetCatalog(name=name, revision=remembered.revision + 1, history=remembered.history)
    unknown = []
    for folder in folders:
        tombstone = read_tombstone(store, folder.path) if folder.has_tombstone else None
        entry = entry_of(store, folder) if folder.has_manifest else None
        row = remembered.rows.get(folder.version)
        if tombstone is not None and entry is None:
            catalog = with_taken_number(catalog, folder.version, tombstone)
        elif tombstone is not None and entry is not None:
            gone = {"state": "deleted", "message": tombstone.reason, "changed_at": tombstone.at}
            catalog = _with(catalog, entry.model_copy(update={**gone, "changed_by": tombstone.by}))
        elif entry is not None and row is not None and row.digest == entry.digest:
            catalog = _with(catalog, _as_recorded(entry, row))
        elif entry is not None:
            unknown.append((entry, claim_of(store, folder.path).aliases))
    readable = set(catalog.readable())
    aliases = {alias: version for alias, version in remembered.aliases.items() if version in readable}
    catalog = catalog.model_copy(update={"aliases": aliases})
    for entry, wanted in unknown:
        catalog = add_version(catalog, entry, wanted, by)
    return with_latest(catalog, by)


def entry_of(store: Store, folder: VersionFolder) -> CatalogVersion | None:
    """What a catalog should say of a version; None where its manifest is none, or is that of another version."""
    try:
        content = store.read(f"{folder.path}/{layout.MANIFEST}")
        manifest = Manifest.from_json(content, f"{store.root}/{folder.path}/{layout.MANIFEST}")
    except (FileNotFoundError, CorruptError):
        return None
    if (manifest.name, manifest.version) != (folder.name, folder.version):
        return None
    claim = claim_of(store, folder.path)
    return describe_published(manifest, content, claim.created_at or datetime.now(UTC), claim.run)


def with_latest(catalog: DatasetCatalog, by: str) -> DatasetCatalog:
    """The same with a `latest` that can be read, if anything can be: the newest version where it leads nowhere."""
    newest = catalog.newest()
    if newest is not None and catalog.aliases.get(LATEST) not in catalog.readable():
        return set_alias(catalog, LATEST, newest, datetime.now(UTC), by)
    return catalog


def write_anew(store: Store, catalog: DatasetCatalog) -> None:
    """Puts a catalog in the place of one that is broken, missing or too old, unless somebody has just done so.

    Raises:
        PublishError: the store refuses the write, or somebody else changes the catalog this moment.
    """
    path = f"{catalog.name}/{layout.CATALOG}"
    found = store.read_tagged(path)
    if not is_newer(found.content if found else b"", catalog.revision) and not store.swap(
        path, catalog.to_json(), found and found.tag
    ):
        raise PublishError(f"{store.root}/{path} was changed this moment by somebody else; run the doctor again")
    ensure_listed(store, catalog.name)


def is_newer(content: bytes, revision: int) -> bool:
    """Whether this is a whole catalog with at least this revision."""
    try:
        found = DatasetCatalog.from_json(content, layout.CATALOG)
    except CorruptError:
        return False
    return is_sound(found) and found.revision >= revision


def is_sound(catalog: DatasetCatalog) -> bool:
    """Whether each of its versions is there once. What somebody wrote there by hand may be anything."""
    return len({each.version for each in catalog.versions}) == len(catalog.versions)


def is_of_newer_format(content: bytes) -> bool:
    """Whether a newer library wrote this catalog."""
    try:
        fields = json.loads(content)
        return isinstance(fields, dict) and int(fields.get("format_version", 0)) > CATALOG_FORMAT
    except (ValueError, TypeError, OverflowError, RecursionError):
        return False


def _with(catalog: DatasetCatalog, entry: CatalogVersion) -> DatasetCatalog:
    """Folders come in the order of their numbers, so the versions do too."""
    return catalog.model_copy(update={"versions": (*catalog.versions, entry)})


def _as_recorded(entry: CatalogVersion, row: VersionRecord) -> CatalogVersion:
    update: dict[str, object] = {"published_at": row.published_at or entry.published_at, "run": row.run_id or entry.run}
    if row.state == "deprecated":
        update |= {"state": "deprecated", "message": row.message, "changed_at": row.changed_at}
    return entry.model_copy(update=update)
