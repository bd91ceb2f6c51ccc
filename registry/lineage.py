"""The part of the registry that knows who used what: lineage, pulls, when a version was used last."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from registry.columns import storable
from registry.connection import Connected
from registry.errors import RegistryError
from registry.models import Dataset, Pull, Run, RunInput, Version
from registry.records import Lineage, PullRecord, RelatedVersion, pull_record, run_record
from registry.retries import retried
from registry.rows import insert_into, normal_root

_MAX_BIGINT = 2**63 - 1
_LENGTHS = {"id": 64, "name": 100, "version": 64, "by": 1_000}  # who pulled may have written anything


class Uses(Connected):
    """Records who used which version, and answers from it. A version need not have a row."""

    @retried
    def record_use(self, run_id: str, root: str, name: str, version: str) -> None:
        """Records that a run, such as a training or a build from it, reads a version.

        Raises:
            RegistryError: no such run was started.
        """
        columns = {"run_id": run_id, "root": normal_root(root), "name": name, "version": version}
        with self._writing() as session:
            if session.get(Run, run_id) is None:
                raise RegistryError(f"run {run_id!r} is not in registry {self.url}; record it first with start_run")
            session.execute(insert_into(session, RunInput).values(**columns).on_conflict_do_nothing())

    @retried
    def record_pulls(self, root: str, pulls: Iterable[PullRecord]) -> None:
        """Records who copied what. One that is recorded already changes nothing; what is too long is cut."""
        rows = [_columns_of(normal_root(root), pull) for pull in pulls]
        with self._writing() as session:
            if rows:
                session.execute(insert_into(session, Pull).on_conflict_do_nothing(), rows)

    @retried
    def pulls(self, root: str, name: str, version: str | None = None) -> list[PullRecord]:
        """Who copied a dataset, or one version of it, newest first."""
        query = select(Pull).where(Pull.root == normal_root(root), Pull.name == name)
        if version is not None:
            query = query.where(Pull.version == version)
        with self._reading() as session:
            return [pull_record(row) for row in session.scalars(query.order_by(Pull.at.desc(), Pull.id))]

    @retried
    def last_used(self, root: str, name: str) -> dict[str, datetime]:
        """When each version was last copied, or last read by a run that started then. None of the others is in it."""
        root = normal_root(root)
        pulled = select(Pull.version, func.max(Pull.at)).where(Pull.root == root, Pull.name == name)
        read = select(RunInput.version, func.max(Run.started_at)).join(Run, Run.id == RunInput.run_id)
        read = read.where(RunInput.root == root, RunInput.name == name)
        newest: dict[str, datetime] = {}
        with self._reading() as session:
            for query in (pulled.group_by(Pull.version), read.group_by(RunInput.version)):
                for version, at in session.execute(query):
                    newest[version] = max(at, newest.get(version, at))
        return newest

    @retried
    def lineage(self, root: str, name: str, version: str) -> Lineage:
        """Where a version comes from, and what came of it. Empty where nothing is known."""
        root = normal_root(root)
        with self._reading() as session:
            return Lineage(
                parents=list(_parents(session, root, name, version)),
                children=_children(session, root, name, version),
                runs=[run_record(row) for row in _runs_that_read(session, root, name, version)],
            )


def _parents(session: Session, root: str, name: str, version: str) -> list[RelatedVersion]:
    """The row of a parent in the same root, else of the same build in another one, else what the child says of it."""
    child = session.scalars(_rows_of(name, version).where(Dataset.root == root)).one_or_none()
    if child is None or child.parent_name is None or child.parent_version is None:
        return []
    query = _rows_of(child.parent_name, child.parent_version).where(Version.digest == child.parent_digest)
    found = sorted(session.scalars(query), key=lambda row: (row.dataset.root != root, row.dataset.root))
    unknown = RelatedVersion(name=child.parent_name, version=child.parent_version, digest=child.parent_digest or "")
    return [_related(found[0]) if found else unknown]


def _children(session: Session, root: str, name: str, version: str) -> list[RelatedVersion]:
    parent = session.scalars(_rows_of(name, version).where(Dataset.root == root)).one_or_none()
    query = select(Version).join(Version.dataset).order_by(Dataset.name, Dataset.root, Version.id)
    query = query.where(Version.parent_name == name, Version.parent_version == version)
    if parent is not None:
        query = query.where(Version.parent_digest == parent.digest)
    return [_related(row) for row in session.scalars(query)]


def _runs_that_read(session: Session, root: str, name: str, version: str) -> Sequence[Run]:
    query = select(Run).join(RunInput, RunInput.run_id == Run.id).order_by(Run.started_at.desc(), Run.id.desc())
    query = query.where(RunInput.root == root, RunInput.name == name, RunInput.version == version)
    return session.scalars(query).all()


def _rows_of(name: str, version: str) -> Select[tuple[Version]]:
    return select(Version).join(Version.dataset).where(Dataset.name == name, Version.version == version)


def _related(row: Version) -> RelatedVersion:
    return RelatedVersion(
        name=row.dataset.name, version=row.version, digest=row.digest, root=row.dataset.root, state=row.state.value
    )


def _columns_of(root: str, pull: PullRecord) -> dict[str, object]:
    texts = {key: storable(getattr(pull, key))[:length] for key, length in _LENGTHS.items()}
    num_bytes = min(max(pull.num_bytes, 0), _MAX_BIGINT)
    return {**texts, "root": root, "at": pull.at, "splits": storable(pull.splits), "num_bytes": num_bytes}
