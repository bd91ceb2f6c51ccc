"""Aliases: names that lead to a version, and to another one tomorrow."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from groupstream.actor import current_actor
from groupstream.catalog import DatasetCatalog, read_catalog
from groupstream.catalog import changes as catalog_changes
from groupstream.errors import RefNotFoundError
from groupstream.layout import is_name
from groupstream.stores import Store
from lifecycle.changing import PublishedVersion, change_catalog, change_version

if TYPE_CHECKING:
    from registry import Registry


class AliasChange(NamedTuple):
    """Where an alias led before, and where it leads now; None: there was, or is, none."""

    name: str
    alias: str
    before: str | None
    after: str | None


def set_alias(
    published: PublishedVersion, registry: Registry | None, alias: str, *, dry_run: bool = False, by: str = ""
) -> AliasChange:
    """Leads an alias to a version. A version that nobody was told of is announced with it.

    Args:
        dry_run: only tell what would change. Nothing is written.
        by: who does it. Default: who runs this process.

    Raises:
        UsageError: nothing can be called so.
        ConflictError: the version is deleted.
        PublishError: the store refuses the write.
        RegistryError: the store has the change, the registry does not: do it again.
    """
    actor = by or current_actor()

    def change(catalog: DatasetCatalog) -> DatasetCatalog:
        return catalog_changes.set_alias(catalog, alias, published.version, datetime.now(UTC), actor)

    changed = change_version(published, registry, change, dry_run=dry_run, by=actor)
    return AliasChange(
        published.name, alias, changed.before.aliases.get(alias), changed.after.aliases.get(alias, published.version)
    )


def remove_alias(
    store: Store, registry: Registry | None, name: str, alias: str, *, dry_run: bool = False, by: str = ""
) -> AliasChange:
    """Removes an alias; where there is none, nothing happens. The arguments are those of `set_alias`.

    Raises:
        RefNotFoundError: the dataset has no catalog, so no aliases.
        UsageError: it is `latest`, which there always is.
    """
    actor = by or current_actor()
    if not is_name(name) or read_catalog(store, name) is None:
        raise RefNotFoundError(f"{name!r} has no aliases in {store.root}. List what is there with: groupstream ls")

    def change(catalog: DatasetCatalog) -> DatasetCatalog:
        return catalog_changes.remove_alias(catalog, alias, datetime.now(UTC), actor)

    changed = change_catalog(store, registry, name, change, dry_run=dry_run)
    return AliasChange(name, alias, changed.before.aliases.get(alias), None)
