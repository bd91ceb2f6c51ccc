"""What may change in a catalog: pure functions from a catalog to a catalog.

Each may be applied again to what it gave, and then changes nothing: a swap whose answer was lost is made again.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from groupstream.catalog.model import LATEST, AliasMove, CatalogVersion, DatasetCatalog
from groupstream.errors import ConflictError, RefNotFoundError, UsageError
from groupstream.layout import is_alias, version_key

MAX_MOVES = 1_000


def add_version(
    catalog: DatasetCatalog, published: CatalogVersion, aliases: Iterable[str] = (), by: str = ""
) -> DatasetCatalog:
    """Adds a version. `latest` moves to it if its number is larger; the other aliases move to it.

    A version that is there already stays as it is, and no alias moves.

    Raises:
        ConflictError: another manifest is known under this number, or the version is deleted.
    """
    known = catalog.get(published.version)
    if known is not None:
        if known.state == "deleted":
            raise ConflictError(
                f"{catalog.name}@{known.version} is deleted ({known.message or 'no reason given'}), and its number "
                "stays taken; set publish.version to another number"
            )
        if known.manifest_sha256 != published.manifest_sha256:
            raise ConflictError(
                f"{catalog.name}@{known.version} is in the catalog with another manifest"
                f"{f', published by run {known.run}' if known.run else ''}; a version never changes. "
                "Look at it with: groupstream doctor"
            )
        return catalog
    versions = sorted((*catalog.versions, published), key=lambda each: version_key(each.version))
    changed = catalog.model_copy(update={"versions": tuple(versions)})
    latest = catalog.aliases.get(LATEST)
    is_newest = latest is None or version_key(published.version) > version_key(latest)
    for alias in ([LATEST] if is_newest else []) + [alias for alias in aliases if alias != LATEST]:
        changed = set_alias(changed, alias, published.version, published.published_at, by)
    return changed


def set_alias(catalog: DatasetCatalog, alias: str, version: str, at: datetime, by: str = "") -> DatasetCatalog:
    """Leads an alias to a version, from whatever version it led to before.

    Raises:
        UsageError: nothing can be called so.
        RefNotFoundError: the version cannot be opened.
    """
    if not is_alias(alias):
        raise UsageError(f"{alias!r} cannot be an alias; use a-z, 0-9, _ and -, a letter first, at most 64")
    _require(catalog, version)
    if catalog.aliases.get(alias) == version:
        return catalog
    return _moved(catalog, {**catalog.aliases, alias: version}, AliasMove(alias=alias, version=version, at=at, by=by))


def remove_alias(catalog: DatasetCatalog, alias: str, at: datetime, by: str = "") -> DatasetCatalog:
    """Removes an alias; where there is none, nothing happens.

    Raises:
        UsageError: it is `latest`, which there always is.
    """
    if alias == LATEST:
        raise UsageError(f"there is always a latest of {catalog.name}; move it with: groupstream tag REF latest")
    if alias not in catalog.aliases:
        return catalog
    aliases = {name: version for name, version in catalog.aliases.items() if name != alias}
    return _moved(catalog, aliases, AliasMove(alias=alias, version=None, at=at, by=by))


def set_deprecated(
    catalog: DatasetCatalog, version: str, message: str | None, at: datetime | None = None, by: str = ""
) -> DatasetCatalog:
    """Deprecates a version, which readers are then told with the message; None takes that back.

    Raises:
        RefNotFoundError: the version cannot be opened.
    """
    _require(catalog, version)
    known = catalog.get(version)
    state, words = ("published", "") if message is None else ("deprecated", message)
    if known is not None and (known.state, known.message) == (state, words):
        return catalog
    return _replaced(catalog, version, state=state, message=words, changed_at=at, changed_by=by)


def set_deleted(catalog: DatasetCatalog, version: str, reason: str, at: datetime, by: str = "") -> DatasetCatalog:
    """Marks a version as deleted: it cannot be opened any more, and its number stays taken.

    `latest` moves to the version with the largest number that is left, rather to one that is not deprecated.

    Raises:
        UsageError: another alias leads to it.
        RefNotFoundError: there is no such version.
    """
    known = catalog.get(version)
    if known is not None and known.state == "deleted":
        return catalog
    _require(catalog, version)
    held = [alias for alias in catalog.aliases_of(version) if alias != LATEST]
    if held:
        raise UsageError(
            f"{catalog.name}@{version} has the alias {', '.join(held)}; move it first with: "
            f"groupstream tag REF {held[0]}, or: groupstream untag {catalog.name} {held[0]}"
        )
    changed = _replaced(catalog, version, state="deleted", message=reason, changed_at=at, changed_by=by)
    if catalog.aliases.get(LATEST) != version:
        return changed
    newest = changed.newest()
    if newest is not None:
        return set_alias(changed, LATEST, newest, at, by)
    aliases = {name: aimed for name, aimed in changed.aliases.items() if name != LATEST}
    return _moved(changed, aliases, AliasMove(alias=LATEST, version=None, at=at, by=by))


def _require(catalog: DatasetCatalog, version: str) -> None:
    known, newest = catalog.get(version), catalog.newest()
    if known is None or not known.is_readable:
        trouble = "is not in the catalog" if known is None else f"is deleted ({known.message or 'no reason given'})"
        raise RefNotFoundError(
            f"{catalog.name}@{version} {trouble}{f'; newest is {newest}' if newest else ''}. "
            f"List the versions with: groupstream ls {catalog.name}"
        )


def _replaced(catalog: DatasetCatalog, version: str, **fields: str | datetime | None) -> DatasetCatalog:
    versions = tuple(each.model_copy(update=fields) if each.version == version else each for each in catalog.versions)
    return catalog.model_copy(update={"versions": versions})


def _moved(catalog: DatasetCatalog, aliases: dict[str, str], move: AliasMove) -> DatasetCatalog:
    return catalog.model_copy(update={"aliases": aliases, "history": (*catalog.history, move)[-MAX_MOVES:]})
