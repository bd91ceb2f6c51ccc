"""A version whose manifest is written becomes known: in the catalog of its store, then in the registry.

What dies between the manifest and the catalog leaves a version that nobody was told of. Whoever meets it announces it:
the next build of the same plan, the doctor, `groupstream tag`. Its claim says which run wrote it and which aliases it
was to have, so it does not matter who does it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from groupstream import CorruptError, layout
from groupstream.actor import current_actor
from groupstream.catalog import LATEST, CatalogVersion, DatasetCatalog, describe_published, read_catalog, update_catalog
from groupstream.catalog.changes import add_version, set_alias
from groupstream.manifest import Manifest
from groupstream.refs import published_versions
from groupstream.stores import Store
from lifecycle.claims import Claim, claim_of

if TYPE_CHECKING:
    from registry import Registry

Change = Callable[[DatasetCatalog], DatasetCatalog]


def announce(
    store: Store,
    registry: Registry | None,
    manifest: Manifest,
    content: bytes,
    *,
    aliases: Iterable[str] = (),
    run: str | None = None,
    published_at: datetime | None = None,
    by: str = "",
) -> DatasetCatalog:
    """Makes a version known. One that is known stays as it is, and keeps the aliases it has or had.

    Args:
        content: the bytes of its manifest.json.
        aliases: that shall lead to it, beside those that its claim names and that nobody has moved since.
        run: which wrote it. Default: as its claim says.
        published_at: with a time zone. Default: when it was claimed, as its claim says, else now.
        by: who does it. Default: who runs this process.

    Raises:
        ConflictError: another manifest is known under this number, or the version is deleted.
        PublishError: the store refuses the write.
        RegistryError: the store knows the version now, the registry does not: do it again.
    """
    change = announcing(store, manifest, content, aliases=aliases, run=run, published_at=published_at, by=by)
    catalog = update_catalog(store, manifest.name, change)
    if registry is not None:
        record(registry, store.root, manifest, catalog)
    return catalog


def announcing(
    store: Store,
    manifest: Manifest,
    content: bytes,
    *,
    aliases: Iterable[str] = (),
    run: str | None = None,
    published_at: datetime | None = None,
    by: str = "",
) -> Change:
    """The change of the catalog that `announce` makes. Writes nothing.

    In a store that has no catalog yet, it adds all versions that are there: `latest` leads to the newest of them all.
    """
    claim = claim_of(store, f"{manifest.name}/{manifest.version}")
    when = published_at or claim.created_at or datetime.now(UTC)
    published = describe_published(manifest, content, when, run or claim.run)
    found = read_catalog(store, manifest.name)
    earlier = list(found_versions(store, manifest.name, [published.version])) if found is None else []
    given, actor = tuple(aliases), by or current_actor()

    def change(catalog: DatasetCatalog) -> DatasetCatalog:
        wanted = tuple(dict.fromkeys((*given, *_not_moved_since(catalog, claim))))
        for other in earlier:
            catalog = add_version(catalog, other, by=actor) if catalog.get(other.version) is None else catalog
        catalog = add_version(catalog, published, wanted, actor)
        return _with_aliases(catalog, published, wanted, actor)

    return change


def _not_moved_since(catalog: DatasetCatalog, claim: Claim) -> list[str]:
    """The aliases of a claim that nobody has moved after it: whoever announces a dead build late undoes no rollback."""
    since = claim.created_at
    later = {move.alias for move in catalog.history if since is not None and move.at > since}
    return [alias for alias in claim.aliases if alias not in later]


def _with_aliases(
    catalog: DatasetCatalog, published: CatalogVersion, aliases: Iterable[str], by: str
) -> DatasetCatalog:
    """Sets those that never led to the version: who announced another one in the meantime may have added it without."""
    led = {move.alias for move in catalog.history if move.version == published.version}
    for alias in aliases:
        if alias not in led and alias != LATEST:
            catalog = set_alias(catalog, alias, published.version, published.published_at, by)
    return catalog


def record(registry: Registry, root: str, manifest: Manifest, catalog: DatasetCatalog) -> None:
    """Gives the registry its copy of what the catalog says, and of the manifest of one version."""
    known = catalog.get(manifest.version)
    assert known is not None
    registry.record_published(manifest, root, known.published_at, run_id=known.run)
    registry.sync_catalog(root, catalog)


def found_versions(store: Store, name: str, known: Collection[str]) -> Iterator[CatalogVersion]:
    """What a catalog should say of the versions in the folders that it does not know, oldest number first.

    Versions with a tombstone, and with a manifest that cannot be read, are left out. Three requests for each.

    Args:
        known: the numbers of those that need not be looked at.
    """
    for version in published_versions(store, name):
        folder = f"{name}/{version}"
        if version in known or store.size_bytes(f"{folder}/{layout.TOMBSTONE}") is not None:
            continue
        try:
            content = store.read(f"{folder}/{layout.MANIFEST}")
            manifest = Manifest.from_json(content, f"{store.root}/{folder}/{layout.MANIFEST}")
        except (FileNotFoundError, CorruptError):
            continue
        if (manifest.name, manifest.version) == (name, version):
            claim = claim_of(store, folder)
            yield describe_published(manifest, content, claim.created_at or datetime.now(UTC), claim.run)
