"""Which versions of a dataset there are: by its catalog, and by its folders where it has none, or lacks one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from groupstream.catalog.files import read_catalog, read_catalog_at
from groupstream.catalog.model import LATEST, CatalogVersion, DatasetCatalog
from groupstream.errors import CorruptError, StoreError
from groupstream.layout import CATALOG, MANIFEST, TOMBSTONE, is_version, version_key
from groupstream.stores import HttpStore, Store

_DENIED = "permission denied"
_THREADS = 16  # that ask for manifests at once


def resolve_alias(store: Store, name: str, alias: str) -> str | None:
    """The version that an alias leads to, None where there is no such alias. One request, if there is a catalog.

    Without a catalog, and where it names no latest, `latest` is the largest number of the folders.

    Raises:
        CorruptError: the catalog is none, or of a newer format.
        StoreError: the store cannot be reached, or does not allow it.
        UsageError: `latest` is asked of a web server that has no catalog.
    """
    return aimed_version(store, name, alias, read_catalog(store, name))


def published_versions(store: Store, name: str) -> list[str]:
    """The versions that have a manifest and are not deleted, oldest number first.

    One request for the folders, one for the catalog, and one a version; two for each that the catalog lacks.
    """
    found = version_folders(store, name)
    catalog = catalog_if_readable(store, name) if found else None
    known = {each.version: each for each in catalog.versions} if catalog else {}
    with ThreadPoolExecutor(min(len(found), _THREADS) or 1) as threads:
        there = threads.map(lambda v: _is_there(store, f"{name}/{v}", known.get(v)), found)
        return [v for v, is_there in zip(found, there, strict=True) if is_there]


def aimed_version(store: Store, name: str, alias: str, catalog: DatasetCatalog | None) -> str | None:
    """See `resolve_alias`, with the catalog at hand."""
    version = catalog.aliases.get(alias) if catalog else None
    return newest_version(store, name, catalog) if version is None and alias == LATEST else version


def newest_version(store: Store, name: str, catalog: DatasetCatalog | None) -> str | None:
    """The largest number of the folders that have a manifest, but for those that the catalog calls deleted."""
    if catalog is not None and isinstance(store, HttpStore):  # which has no list of folders
        return catalog.newest()
    deleted = {each.version for each in catalog.versions if not each.is_readable} if catalog else set()
    newest_first = (v for v in reversed(version_folders(store, name)) if v not in deleted)
    return next((v for v in newest_first if is_published(store, f"{name}/{v}")), None)


def catalog_if_readable(store: Store, name: str, path: str | None = None) -> DatasetCatalog | None:
    """The catalog for those who can do without it: a version is there when its manifest is."""
    try:
        return read_catalog_at(store, path or f"{name}/{CATALOG}")
    except (CorruptError, PermissionError, IsADirectoryError):
        return None
    except StoreError as error:
        if _DENIED not in str(error):  # so does S3 answer where nothing is, to who may read but not list
            raise
        return None


def version_folders(store: Store, name: str) -> list[str]:
    """The folders that are called as versions are, in the order of their numbers. One request for 1,000 of them."""
    return sorted((v for v in store.folders(name) if is_version(v)), key=version_key)


def _is_there(store: Store, folder: str, known: CatalogVersion | None) -> bool:
    """Whether it is published, and not deleted."""
    if known is not None:
        return known.is_readable and is_published(store, folder)
    return is_published(store, folder) and store.size_bytes(f"{folder}/{TOMBSTONE}") is None


def is_published(store: Store, folder: str) -> bool:
    """Whether a folder has a manifest. One request."""
    return store.size_bytes(f"{folder}/{MANIFEST}") is not None
