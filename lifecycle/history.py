"""What happened to a dataset: when its versions were published, deprecated, deleted, and how its aliases moved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from groupstream.catalog import AliasMove, CatalogVersion, DatasetCatalog, read_catalog
from groupstream.errors import RefNotFoundError
from groupstream.layout import is_name
from groupstream.stores import HttpStore, Store
from lifecycle.announcing import found_versions

if TYPE_CHECKING:
    from registry import Registry


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that happened.

    Attributes:
        kind: `restored`: a deprecation was taken back.
        version: that it happened to, or that the alias leads to since; None where the alias was removed.
        alias: that moved; `before`: the version that it led to until then.
        by: who did it, where that is known.
        run: which published the version, where that is known.
        message: why it is deprecated or deleted.
    """

    at: datetime
    kind: Literal["published", "deprecated", "restored", "deleted", "alias"]
    version: str | None
    alias: str | None = None
    before: str | None = None
    by: str = ""
    run: str | None = None
    message: str = ""


_STATE_EVENTS: dict[str, Literal["deprecated", "restored", "deleted"]] = {
    "published": "restored",
    "deprecated": "deprecated",
    "deleted": "deleted",
}


def history_of(store: Store, registry: Registry | None, name: str) -> list[Event]:
    """What happened to a dataset, newest first.

    From its catalog. The registry adds the alias moves that a catalog is too short for; where there is no catalog, the
    claims of the versions say when they were published.

    Raises:
        RefNotFoundError: there is no such dataset.
    """
    catalog = read_catalog(store, name) if is_name(name) else None
    if catalog is None:
        found = [] if isinstance(store, HttpStore) or not is_name(name) else list(found_versions(store, name, ()))
        if not found:
            raise RefNotFoundError(f"no dataset {name!r} in {store.root}. List what is there with: groupstream ls")
        catalog = DatasetCatalog(name=name, versions=tuple(found))
    kept = registry.alias_history(store.root, name) if registry is not None else []
    moves = [AliasMove(alias=move.alias, version=move.version, at=move.at, by=move.by) for move in kept]
    events = [*_of_versions(catalog.versions), *_of_aliases([*moves, *catalog.history])]
    return sorted(events, key=lambda event: (event.at, event.kind == "alias"), reverse=True)


def _of_versions(versions: Iterable[CatalogVersion]) -> Iterator[Event]:
    for each in versions:
        yield Event(at=each.published_at, kind="published", version=each.version, run=each.run)
        if each.changed_at is not None:
            yield Event(
                at=each.changed_at,
                kind=_STATE_EVENTS[each.state],
                version=each.version,
                by=each.changed_by,
                message=each.message,
            )


def _of_aliases(moves: Iterable[AliasMove]) -> Iterator[Event]:
    """Each move with where the alias led before. They are in order; what registry and catalog tell is told once."""
    leads_to: dict[str, str | None] = {}
    distinct = {(move.alias, move.version, move.at): move for move in moves}
    for move in distinct.values():
        before = leads_to.get(move.alias)
        leads_to[move.alias] = move.version
        yield Event(at=move.at, kind="alias", version=move.version, alias=move.alias, before=before, by=move.by)
