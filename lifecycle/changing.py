"""One change of what is said about a version or its aliases: in the store first, then in the registry."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from groupstream.cache import source_root
from groupstream.catalog import DatasetCatalog, read_catalog, update_catalog
from groupstream.errors import UsageError
from groupstream.manifest import Manifest
from groupstream.pulling.version import read_manifest
from groupstream.refs import resolve
from groupstream.stores import HttpStore, Store, open_store
from lifecycle.announcing import Change, announcing, record

if TYPE_CHECKING:
    from registry import Registry


class PublishedVersion(NamedTuple):
    """A version in its store.

    Attributes:
        store: its root holds the folder <name>/<version>.
        content: the bytes of its manifest.json.
    """

    store: Store
    manifest: Manifest
    content: bytes

    @property
    def name(self) -> str:
        """Of the dataset."""
        return self.manifest.name

    @property
    def version(self) -> str:
        """Its number."""
        return self.manifest.version


class CatalogChange(NamedTuple):
    """The catalog of a dataset before a change and after it."""

    before: DatasetCatalog
    after: DatasetCatalog


def find_published(ref: str, root: str | None = None) -> PublishedVersion:
    """The version that a ref, an alias or a folder leads to, with the store whose catalog tells of it.

    Raises:
        RefNotFoundError: nothing published is named so.
        UsageError: its folder is not called as its manifest says, so no catalog can tell of it.
    """
    location = resolve(ref, root)
    content, manifest = read_manifest(location)
    above = source_root(location)
    if str(location) != f"{above}/{manifest.name}/{manifest.version}":
        raise UsageError(
            f"{location} is {manifest.ref}, but its folder is not called {manifest.name}/{manifest.version}, so no "
            "root knows it. Copy it to one with: groupstream publish REF --to ROOT"
        )
    return PublishedVersion(open_store(above), manifest, content)


def require_writable(store: Store) -> None:
    """Refuses a web server before anything is done.

    Raises:
        UsageError: it is one.
    """
    if isinstance(store, HttpStore):
        raise UsageError(f"{store.root} is a web server, which is only read; name the folder or the bucket behind it")


def change_catalog(
    store: Store, registry: Registry | None, name: str, change: Change, *, dry_run: bool = False
) -> CatalogChange:
    """Changes the catalog of a dataset, then tells the registry.

    Args:
        dry_run: only tell what would change. Nothing is written.

    Raises:
        PublishError: the store refuses the write.
        RegistryError: the store has the change, the registry does not: do it again.
    """
    require_writable(store)
    if dry_run:
        before = read_catalog(store, name) or DatasetCatalog(name=name)
        return CatalogChange(before, change(before))
    seen: list[DatasetCatalog] = []

    def noting(catalog: DatasetCatalog) -> DatasetCatalog:
        after = change(catalog)
        if not seen or after != catalog:  # a swap whose answer was lost finds its own change when it is made again
            seen[:] = [catalog]
        return after

    catalog = update_catalog(store, name, noting)
    if registry is not None:
        registry.sync_catalog(store.root, catalog)
    return CatalogChange(seen[0], catalog)


def change_version(
    published: PublishedVersion,
    registry: Registry | None,
    change: Change,
    *,
    published_at: datetime | None = None,
    dry_run: bool = False,
    by: str = "",
) -> CatalogChange:
    """The same for a change that needs the version to be known; where it is not, it is announced with it."""
    store, manifest, content = published
    require_writable(store)
    announced = announcing(store, manifest, content, published_at=published_at, by=by)

    def both(catalog: DatasetCatalog) -> DatasetCatalog:
        return change(announced(catalog))

    changed = change_catalog(store, None, manifest.name, both, dry_run=dry_run)
    if registry is not None and not dry_run:
        record(registry, store.root, manifest, changed.after)
    return changed
