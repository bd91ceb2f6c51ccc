"""The part of the registry that copies the catalogs of the stores: datasets, their aliases, the states of versions."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from groupstream.catalog import CatalogVersion, DatasetCatalog
from registry.connection import Connected
from registry.descriptions import columns_of_catalog, describe
from registry.errors import RegistryError
from registry.models import Alias, AliasMove, Dataset, Version
from registry.records import AliasMoveRecord, DatasetRecord, alias_move_record, dataset_record
from registry.retries import retried
from registry.rows import dataset_row, find_dataset, insert_into, normal_root, version_row
from registry.states import VersionState
from registry.versions import location_of, move_to


class Catalogs(Connected):
    """Copies catalogs, and answers from the copies."""

    @retried
    def sync_catalog(self, root: str, catalog: DatasetCatalog) -> None:
        """Takes over what the catalog of a store says: states and messages, aliases and their moves.

        A catalog older than the one that was taken last changes nothing: whoever makes a lost one anew counts on from
        `catalog_revision`. A version without a row gets one with what the catalog knows of it. Moves that the store has
        cut from its history stay here.

        Raises:
            RegistryError: an alias leads to what cannot be opened, or some version is of another build than here.
        """
        _refuse_blind_aliases(root, catalog)
        with self._writing() as session:
            dataset = dataset_row(session, root, catalog.name, lock=True)
            if catalog.revision < dataset.catalog_revision:
                return
            known = _versions_of(session, dataset)
            for entry in catalog.versions:
                self._take_version(session, dataset, entry, known.get(entry.version))
            _take_aliases(session, dataset, catalog)
            _take_moves(session, dataset, catalog)
            dataset.catalog_revision = catalog.revision

    @retried
    def datasets(self, root: str | None = None) -> list[DatasetRecord]:
        """The datasets of one root or of all, by name and root."""
        query = select(Dataset).order_by(Dataset.name, Dataset.root)
        if root is not None:
            query = query.where(Dataset.root == normal_root(root))
        with self._reading() as session:
            rows = session.scalars(query).all()
            aliases = _aliases_of(session, rows)
            return [dataset_record(row, aliases[row.id]) for row in rows]

    @retried
    def aliases(self, root: str, name: str) -> dict[str, str]:
        """The version of each alias; none where the dataset is not known."""
        with self._reading() as session:
            dataset = find_dataset(session, root, name)
            return {} if dataset is None else dict(sorted(_aliases_of(session, [dataset])[dataset.id].items()))

    @retried
    def alias_history(self, root: str, name: str) -> list[AliasMoveRecord]:
        """How the aliases moved, oldest first."""
        query = select(AliasMove).join(Dataset, AliasMove.dataset_id == Dataset.id).order_by(AliasMove.id)
        with self._reading() as session:
            rows = session.scalars(query.where(Dataset.root == normal_root(root), Dataset.name == name))
            return [alias_move_record(row) for row in rows]

    def _take_version(self, session: Session, dataset: Dataset, entry: CatalogVersion, known: Version | None) -> None:
        columns = columns_of_catalog(entry, location_of(dataset.root, dataset.name, entry.version))
        row = known or version_row(session, dataset, entry.version, columns)
        if row.digest != columns["digest"]:
            if row.state.is_settled:
                raise RegistryError(
                    f"{dataset.name}@{entry.version} is {row.state.value} in registry {self.url} with digest "
                    f"{row.digest[:12]}, and {columns['digest'][:12]} in the catalog of {dataset.root!r}; a version "
                    "never changes. If the store was made anew, set GROUPSTREAM_REGISTRY_URL to a new registry"
                )
            describe(row, columns)
        row.run_id = row.run_id or entry.run
        row.published_at = row.published_at or entry.published_at
        move_to(row, VersionState(entry.state), entry.message, entry.changed_at or entry.published_at, entry.changed_by)


def _refuse_blind_aliases(root: str, catalog: DatasetCatalog) -> None:
    """Who can write to a store can write anything there."""
    readable = set(catalog.readable())
    for alias, version in catalog.aliases.items():
        if version not in readable:
            raise RegistryError(
                f"the catalog of {catalog.name} in {root!r} leads {alias!r} to {version!r}, which cannot be opened; "
                "mend it with: groupstream doctor"
            )


def _versions_of(session: Session, dataset: Dataset) -> dict[str, Version]:
    """The rows of all versions of a dataset, locked, by their numbers. One query, however many there are."""
    query = select(Version).where(Version.dataset_id == dataset.id).order_by(Version.id)
    return {row.version: row for row in session.scalars(query.with_for_update(of=Version))}


def _aliases_of(session: Session, datasets: Sequence[Dataset]) -> dict[int, dict[str, str]]:
    """The aliases of each dataset, by its id."""
    found: dict[int, dict[str, str]] = {dataset.id: {} for dataset in datasets}
    for row in session.scalars(select(Alias).where(Alias.dataset_id.in_(found))):
        found[row.dataset_id][row.alias] = row.version
    return found


def _take_aliases(session: Session, dataset: Dataset, catalog: DatasetCatalog) -> None:
    before = _aliases_of(session, [dataset])[dataset.id]
    if gone := before.keys() - catalog.aliases.keys():
        session.execute(delete(Alias).where(Alias.dataset_id == dataset.id, Alias.alias.in_(gone)))
    for alias, version in catalog.aliases.items():
        if before.get(alias) != version:
            session.merge(Alias(dataset_id=dataset.id, alias=alias, version=version))


def _take_moves(session: Session, dataset: Dataset, catalog: DatasetCatalog) -> None:
    moves = [
        {"dataset_id": dataset.id, "alias": m.alias, "version": m.version or "", "at": m.at, "by": m.by}
        for m in catalog.history
    ]
    if moves:
        session.execute(insert_into(session, AliasMove).on_conflict_do_nothing(), moves)
