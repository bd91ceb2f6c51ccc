"""What can be wrong in a store: between the folders of a dataset, its catalog, and the catalog of the root.

Problems come one by one: each is mended, or left, before the next one is looked for.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from groupstream import CorruptError, layout
from groupstream.catalog import (
    LATEST,
    AliasMove,
    DatasetCatalog,
    dataset_names,
    ensure_listed,
    read_catalog,
    update_catalog,
)
from groupstream.catalog.changes import MAX_MOVES
from groupstream.catalog.model import CATALOG_FORMAT
from groupstream.layout import version_key
from groupstream.manifest import Manifest, canonical_json
from groupstream.stores import Store
from lifecycle.announcing import announce
from lifecycle.deletion import collect_deleted, mark_deleted
from lifecycle.findings import Problem
from lifecycle.folders import VersionFolder, version_folders
from lifecycle.rebuilding import (
    entry_of,
    is_of_newer_format,
    is_sound,
    rebuilt_catalog,
    remember,
    with_latest,
    write_anew,
)
from lifecycle.tombstones import Tombstone, read_tombstone, write_tombstone

if TYPE_CHECKING:
    from registry import Registry

_READS_AT_ONCE = 16


def root_problems(store: Store) -> Iterator[Problem]:
    """Whether the catalog of the root has the names of all datasets."""
    names = [name for name in dataset_names(store) if _is_dataset(store, name)]
    try:
        content: bytes | None = store.read(layout.CATALOG)
    except FileNotFoundError:
        content = None
    if content is not None and _names_in(content) is None:
        mend = functools.partial(_write_names, store, names)
        yield Problem("root_catalog_broken", layout.CATALOG, "is not a catalog", "write it anew from the folders", mend)
        return
    listed = _names_in(content) or [] if content is not None else []
    for name in names:
        if name not in listed:
            mend = functools.partial(ensure_listed, store, name)
            yield Problem("dataset_unlisted", name, "is not in the catalog of the root", "add it", mend)


def dataset_problems(store: Store, registry: Registry | None, name: str, by: str) -> Iterator[Problem]:
    """What is wrong with a dataset, as far as the store alone tells."""
    folders = version_folders(store, name)
    if not any(folder.has_manifest or folder.has_tombstone for folder in folders) and not _has_catalog(store, name):
        return
    yield from _catalog_problems(store, registry, name, folders, by)
    catalog = sound_catalog(store, name)
    if catalog is None:
        return
    for folder in _all_folders(name, folders, catalog):
        yield from _version_problems(store, registry, folder, catalog, by)
    yield from _changed_manifests(store, folders, catalog)
    yield from _alias_problems(store, sound_catalog(store, name) or catalog, by)


def _catalog_problems(
    store: Store, registry: Registry | None, name: str, folders: Sequence[VersionFolder], by: str
) -> Iterator[Problem]:
    path = f"{name}/{layout.CATALOG}"
    found = store.read_tagged(path)
    if found is not None and is_of_newer_format(found.content):
        wrong = f"has a format newer than {CATALOG_FORMAT}"
        yield Problem("catalog_newer", path, wrong, "upgrade with: pip install -U groupstream")
        return
    if sound_catalog(store, name) is not None:
        return

    def rebuild() -> None:
        write_anew(store, rebuilt_catalog(store, name, folders, remember(registry, store.root, name), by))

    kind, wrong = ("catalog_missing", "is not there") if found is None else ("catalog_broken", "is not a catalog")
    lost = "aliases from the registry" if registry is not None else "without a registry, aliases are those of claims"
    yield Problem(kind, path, wrong, f"make it anew from the folders; {lost}", rebuild)


def _version_problems(
    store: Store, registry: Registry | None, folder: VersionFolder, catalog: DatasetCatalog, by: str
) -> Iterator[Problem]:
    entry = catalog.get(folder.version)
    is_deleted = entry is not None and not entry.is_readable
    if folder.has_tombstone and not is_deleted:
        finish = functools.partial(_finish_deletion, store, registry, folder, catalog)
        yield Problem("deletion_unfinished", folder.ref, "has a tombstone, and can be opened", "go on with it", finish)
    elif folder.has_tombstone and folder.payload and not folder.has_manifest:
        remove = functools.partial(collect_deleted, store, folder)
        yield Problem("removal_unfinished", folder.ref, "is deleted, some files are there", "remove them", remove)
    elif is_deleted and not folder.has_tombstone:
        assert entry is not None
        said = entry.message or "not known"
        stone = Tombstone(at=datetime.now(UTC), by=entry.changed_by or by, reason=said, digest=entry.digest)
        mend = functools.partial(write_tombstone, store, folder.path, stone)
        yield Problem("tombstone_missing", folder.ref, "is deleted, and has no tombstone", "write one", mend)
    elif folder.has_manifest and entry is None:
        yield _uncatalogued(store, folder, by)
    elif entry is not None and not is_deleted and not folder.has_manifest:
        yield Problem(
            "version_lost",
            folder.ref,
            "is in the catalog, and has no manifest in the store",
            f"copy its folder back, or: groupstream delete {folder.ref} --reason lost",
        )


def _uncatalogued(store: Store, folder: VersionFolder, by: str) -> Problem:
    if entry_of(store, folder) is None:
        return Problem(
            "manifest_broken",
            folder.ref,
            "is in no catalog, and its manifest.json is none, or is that of another version",
            "copy its folder anew from where it was built, or remove it",
        )

    def add() -> None:
        path = f"{folder.path}/{layout.MANIFEST}"
        content = store.read(path)
        announce(store, None, Manifest.from_json(content, f"{store.root}/{path}"), content, by=by)

    return Problem("version_uncatalogued", folder.ref, "is published, and not in the catalog", "add it", add)


def _changed_manifests(store: Store, folders: Sequence[VersionFolder], catalog: DatasetCatalog) -> Iterator[Problem]:
    """Compares the manifests with their hashes. One request for each."""
    expected = {each.version: each.manifest_sha256 for each in catalog.versions if each.is_readable}
    looked_at = [folder for folder in folders if folder.has_manifest and folder.version in expected]
    with ThreadPoolExecutor(_READS_AT_ONCE, "groupstream-doctor") as threads:
        hashes = list(threads.map(functools.partial(_manifest_hash, store), looked_at))
    for folder, found in zip(looked_at, hashes, strict=True):
        if found not in (None, expected[folder.version]):
            yield Problem(
                "manifest_changed",
                folder.ref,
                f"has a manifest with sha256 {str(found)[:12]}..., the catalog says {expected[folder.version][:12]}...",
                "a version never changes: copy its folder anew from where it was built, or delete it",
            )


def _alias_problems(store: Store, catalog: DatasetCatalog, by: str) -> Iterator[Problem]:
    readable = catalog.readable()
    for alias, version in sorted(catalog.aliases.items()):
        if alias != LATEST and version not in readable:
            remove = functools.partial(_remove_alias, store, catalog.name, alias, by)
            wrong = f"leads to {version!r}, which cannot be opened"
            yield Problem("alias_lost", f"{catalog.name}@{alias}", wrong, "remove the alias", remove)
    if catalog.aliases.get(LATEST) in readable or not (readable or LATEST in catalog.aliases):
        return

    def lead_latest(before: DatasetCatalog) -> DatasetCatalog:
        return with_latest(before, by) if before.readable() else _without(before, LATEST, by)

    mend = functools.partial(update_catalog, store, catalog.name, lead_latest)
    wrong = f"leads to {catalog.aliases.get(LATEST)!r}, which cannot be opened"
    yield Problem("latest_lost", f"{catalog.name}@{LATEST}", wrong, "lead it to the largest number", mend)


def _finish_deletion(store: Store, registry: Registry | None, folder: VersionFolder, catalog: DatasetCatalog) -> None:
    """Goes on with it; or takes the tombstone away where an alias leads there, as the deletion is refused then."""
    tombstone = read_tombstone(store, folder.path)
    if tombstone is None:
        return
    if [alias for alias in catalog.aliases_of(folder.version) if alias != LATEST]:
        store.delete(f"{folder.path}/{layout.TOMBSTONE}")
        return
    mark_deleted(store, registry, folder, tombstone)


def _remove_alias(store: Store, name: str, alias: str, by: str) -> None:
    update_catalog(store, name, lambda catalog: _without(catalog, alias, by))


def _without(catalog: DatasetCatalog, alias: str, by: str) -> DatasetCatalog:
    """Also what `changes.remove_alias` refuses: a `latest` of nothing. One that leads somewhere by now stays."""
    if alias not in catalog.aliases or catalog.aliases[alias] in catalog.readable():
        return catalog
    aliases = {name: version for name, version in catalog.aliases.items() if name != alias}
    move = AliasMove(alias=alias, version=None, at=datetime.now(UTC), by=by)
    return catalog.model_copy(update={"aliases": aliases, "history": (*catalog.history, move)[-MAX_MOVES:]})


def _all_folders(name: str, folders: Sequence[VersionFolder], catalog: DatasetCatalog) -> list[VersionFolder]:
    """Those of the store, and empty ones for what the catalog knows beside them."""
    found = {folder.version: folder for folder in folders}
    versions = sorted({*found, *(each.version for each in catalog.versions)}, key=version_key)
    return [found.get(version) or VersionFolder(name, version, {}) for version in versions]


def _manifest_hash(store: Store, folder: VersionFolder) -> str | None:
    try:
        return hashlib.sha256(store.read(f"{folder.path}/{layout.MANIFEST}")).hexdigest()
    except FileNotFoundError:
        return None


def sound_catalog(store: Store, name: str) -> DatasetCatalog | None:
    """The catalog of a dataset, None where there is none that can be used."""
    try:
        catalog = read_catalog(store, name)
    except CorruptError:
        return None
    return catalog if catalog is not None and catalog.name == name and is_sound(catalog) else None


def _is_dataset(store: Store, name: str) -> bool:
    return _has_catalog(store, name) or any(f.has_manifest for f in version_folders(store, name))


def _has_catalog(store: Store, name: str) -> bool:
    return store.size_bytes(f"{name}/{layout.CATALOG}") is not None


def _names_in(content: bytes) -> list[str] | None:
    try:
        names = json.loads(content)["datasets"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return [str(name) for name in names] if isinstance(names, list) else None


def _write_names(store: Store, names: Sequence[str]) -> None:
    found = store.read_tagged(layout.CATALOG)
    content = canonical_json({"format_version": CATALOG_FORMAT, "datasets": sorted(names)})
    if found is None or _names_in(found.content) is None:
        store.swap(layout.CATALOG, content, found and found.tag)
    for name in names:
        ensure_listed(store, name)
