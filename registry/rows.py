"""Finds or adds the rows to change, locked until the end of the transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sqlalchemy import Select, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from groupstream.errors import UsageError
from groupstream.layout import is_name, version_key
from registry.models import UNKNOWN_ROOT, Base, Dataset, Run, Version

Row = TypeVar("Row", bound=Base)

_INSERT: dict[str, Callable[..., sqlite.Insert | postgresql.Insert]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


def insert_into(session: Session, table: type[Base]) -> sqlite.Insert | postgresql.Insert:
    """An insert that can say what happens where the row is there."""
    return _INSERT[session.get_bind().dialect.name](table)


def dataset_row(session: Session, root: str, name: str, *, lock: bool = False) -> Dataset:
    """The row of a dataset, added if absent. One whose root was not known becomes that of the root that asks first.

    Raises:
        UsageError: it cannot be the name of a dataset.
    """
    if not is_name(name):
        raise UsageError(f"{name!r} cannot name a dataset; use a-z, 0-9, _ and -, at most 100, a letter or digit first")
    root = normal_root(root)
    query = select(Dataset).where(Dataset.root == root, Dataset.name == name)
    if lock:  # those who add a version or a run to it need not wait
        query = query.with_for_update(key_share=True)
    row = session.scalars(query).one_or_none()
    if row is None:
        session.execute(_adoption(root, name))
    return row or find_or_add(session, query, Dataset, {"root": root, "name": name})


def find_dataset(session: Session, root: str, name: str) -> Dataset | None:
    """The row of a dataset, if there is one."""
    return session.scalars(select(Dataset).where(Dataset.root == normal_root(root), Dataset.name == name)).one_or_none()


def find_version(session: Session, root: str, name: str, version: str) -> Version | None:
    """The row of a version, if there is one, locked."""
    query = select(Version).join(Version.dataset).with_for_update(of=Version)
    query = query.where(Dataset.root == normal_root(root), Dataset.name == name, Version.version == version)
    return session.scalars(query).one_or_none()


def version_row(session: Session, dataset: Dataset, version: str, columns: Mapping[str, Any]) -> Version:
    """The row of a version, added with these columns if absent.

    Raises:
        UsageError: its number cannot be one.
    """
    version_key(version)
    query = select(Version).where(Version.dataset_id == dataset.id, Version.version == version)
    key = {"dataset_id": dataset.id, "version": version}
    return find_or_add(session, query.with_for_update(of=Version), Version, {**key, **columns})


def run_row(session: Session, run_id: str, dataset: Dataset, digest: str) -> Run:
    """The row of a run of this build, added if absent."""
    query = select(Run).where(Run.id == run_id).with_for_update(of=Run)
    row = find_or_add(session, query, Run, {"id": run_id, "dataset_id": dataset.id, "digest": digest})
    row.dataset_id, row.digest = dataset.id, digest
    return row


def find_or_add(session: Session, query: Select[tuple[Row]], table: type[Row], columns: Mapping[str, Any]) -> Row:
    """On PostgreSQL two may find nothing at once: the insert of one waits for the other's, and then adds nothing."""
    row = session.scalars(query).one_or_none()
    if row is None:
        session.execute(insert_into(session, table).values(**columns).on_conflict_do_nothing())
        row = session.scalars(query).one()
    return row


def normal_root(root: str) -> str:
    """A root, written in one way."""
    return root.rstrip("/") or root[:1]


def _adoption(root: str, name: str) -> Any:
    return update(Dataset).where(Dataset.root == UNKNOWN_ROOT, Dataset.name == name).values(root=root)
