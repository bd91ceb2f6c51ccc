"""All versions of a dataset with their figures: as the catalog has them, and those it lacks by their manifests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import Executor
from datetime import UTC, datetime
from typing import NamedTuple

from groupstream.catalog.files import read_catalog
from groupstream.catalog.lookup import version_folders
from groupstream.catalog.model import CatalogVersion, DatasetCatalog, describe_published
from groupstream.errors import CorruptError, GroupstreamError
from groupstream.layout import CLAIM, MANIFEST, version_key
from groupstream.stores import HttpStore, Store

BROKEN = (GroupstreamError, OSError, ValueError, RecursionError)  # what reading a file that is none of ours raises

_NEVER = datetime.fromtimestamp(0, UTC)


class ListedVersion(NamedTuple):
    """A version.

    Attributes:
        published_at: None where neither a catalog nor its claim says it.
    """

    described: CatalogVersion
    aliases: tuple[str, ...] = ()
    published_at: datetime | None = None


class UnreadableVersion(NamedTuple):
    """A version that cannot be read, or of which nobody knows how to read it; empty where that is the whole dataset."""

    version: str
    error: Exception


class Overview(NamedTuple):
    """What two requests say of a dataset.

    Attributes:
        known: as the catalog has them, in the order of their numbers.
        unknown: folders that the catalog lacks; each may have a manifest.
        trouble: what went wrong.
    """

    known: tuple[ListedVersion, ...]
    unknown: tuple[str, ...]
    trouble: tuple[UnreadableVersion, ...]


def overview(store: Store, name: str) -> Overview:
    """Looks at the catalog of a dataset, and at the names of its folders; a web server has the catalog only.

    Raises:
        UsageError: a web server has no catalog.
    """
    try:
        catalog = read_catalog(store, name)
    except BROKEN as error:
        return _without_catalog(store, name, UnreadableVersion("", error))
    if catalog is not None and isinstance(store, HttpStore):
        return Overview(_listed(catalog), (), ())
    return _with_folders(store, name, catalog or DatasetCatalog(name=name))


def read_unknown(store: Store, name: str, version: str) -> ListedVersion | UnreadableVersion | None:
    """A version by its manifest and its claim, two requests; None where nothing is published there."""
    from groupstream.manifest import Manifest

    folder = f"{name}/{version}"
    try:
        content = store.read(f"{folder}/{MANIFEST}")
        manifest = Manifest.from_json(content, f"{store.root}/{folder}/{MANIFEST}")
        described = describe_published(manifest, content, _NEVER, None)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except BROKEN as error:
        return UnreadableVersion(version, error)
    return ListedVersion(described.model_copy(update={"version": version}), (), _claimed_at(store, folder))


def all_versions(
    store: Store, name: str, found: Overview, threads: Executor
) -> Iterator[ListedVersion | UnreadableVersion]:
    """Those of an overview, and what the manifests say of the unknown ones, in the order of their numbers."""
    read = threads.map(lambda version: read_unknown(store, name, version), found.unknown)
    each = [*found.known, *found.trouble, *(one for one in read if one is not None)]
    yield from sorted(each, key=_order)


def number_of(one: ListedVersion | UnreadableVersion) -> str:
    """Of a version; empty where it is not known."""
    return one.version if isinstance(one, UnreadableVersion) else one.described.version


def _order(one: ListedVersion | UnreadableVersion) -> tuple[int, ...]:
    number = number_of(one)
    return version_key(number) if number else ()


def _listed(catalog: DatasetCatalog) -> tuple[ListedVersion, ...]:
    aliases: dict[str, list[str]] = {}
    for alias, version in sorted(catalog.aliases.items()):
        aliases.setdefault(version, []).append(alias)
    return tuple(
        ListedVersion(each, tuple(aliases.get(each.version, ())), each.published_at) for each in catalog.versions
    )


def _with_folders(store: Store, name: str, catalog: DatasetCatalog) -> Overview:
    try:
        folders = version_folders(store, name)
    except BROKEN as error:
        return Overview(_listed(catalog), (), (UnreadableVersion("", error),))
    there, cataloged = set(folders), {each.version for each in catalog.versions}
    gone = {each.version for each in catalog.versions if each.is_readable and each.version not in there}
    known = tuple(one for one in _listed(catalog) if one.described.version not in gone)
    unknown = tuple(version for version in folders if version not in cataloged)
    return Overview(known, unknown, tuple(_gone(store, name, version) for version in sorted(gone)))


def _without_catalog(store: Store, name: str, trouble: UnreadableVersion) -> Overview:
    """The folders, with what is wrong with the catalog."""
    if isinstance(store, HttpStore):
        return Overview((), (), (trouble,))
    found = _with_folders(store, name, DatasetCatalog(name=name))
    return found._replace(trouble=(trouble, *found.trouble))


def _gone(store: Store, name: str, version: str) -> UnreadableVersion:
    error = CorruptError(
        f"{store.root}/{name}/{version} is gone, though the catalog has the version. Mend it with: groupstream doctor"
    )
    return UnreadableVersion(version, error)


def _claimed_at(store: Store, folder: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(json.loads(store.read(f"{folder}/{CLAIM}"))["created_at"])
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (*BROKEN, KeyError, TypeError, OverflowError):
        return None
