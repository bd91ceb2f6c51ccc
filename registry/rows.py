"""Finds or adds the rows to change, locked until the end of the transaction, and fills them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sqlalchemy import Select, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from groupstream.errors import UsageError
from groupstream.layout import is_name, version_key
from groupstream.manifest import Manifest
from registry.columns import storable
from registry.models import Base, Dataset, Run, Version

Row = TypeVar("Row", bound=Base)

_INSERT: dict[str, Callable[..., sqlite.Insert | postgresql.Insert]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


def dataset_row(session: Session, name: str) -> Dataset:
    """The row of a dataset, added if absent.

    Raises:
        UsageError: it cannot be the name of a dataset.
    """
    if not is_name(name):
        raise UsageError(f"{name!r} cannot name a dataset; use a-z, 0-9, _ and -, at most 100, a letter or digit first")
    return _find_or_add(session, select(Dataset).where(Dataset.name == name), Dataset, {"name": name})


def version_row(session: Session, manifest: Manifest, location: str) -> Version:
    """The row of the version that the manifest describes, added as pending if absent.

    Raises:
        UsageError: its name or number cannot be one.
    """
    version_key(manifest.version)
    dataset = dataset_row(session, manifest.name)
    query = select(Version).where(Version.dataset_id == dataset.id, Version.version == manifest.version)
    query = query.with_for_update(of=Version)
    key = {"dataset_id": dataset.id, "version": manifest.version}
    return _find_or_add(session, query, Version, {**key, **_columns_of(manifest, location)})


def fill_version(row: Version, manifest: Manifest, location: str) -> None:
    """Sets all that comes from the manifest."""
    for name, value in _columns_of(manifest, location).items():
        setattr(row, name, value)


def run_row(session: Session, run_id: str, dataset: str, digest: str) -> Run:
    """The row of a run of this build, added if absent."""
    dataset_id = dataset_row(session, dataset).id
    query = select(Run).where(Run.id == run_id).with_for_update(of=Run)
    row = _find_or_add(session, query, Run, {"id": run_id, "dataset_id": dataset_id, "digest": digest})
    row.dataset_id, row.digest = dataset_id, digest
    return row


def _find_or_add(session: Session, query: Select[tuple[Row]], table: type[Row], columns: Mapping[str, Any]) -> Row:
    """On PostgreSQL two may find nothing at once: the insert of one waits for the other's, and then adds nothing."""
    row = session.scalars(query).one_or_none()
    if row is None:
        insert = _INSERT[session.get_bind().dialect.name]
        session.execute(insert(table).values(**columns).on_conflict_do_nothing())
        row = session.scalars(query).one()
    return row


def _columns_of(manifest: Manifest, location: str) -> dict[str, Any]:
    content = storable(manifest.model_dump(mode="json"))
    of_splits = {name: split["statistics"] for name, split in content["splits"].items()}
    figures = ("num_groups", "num_examples", "num_bytes", "num_words")
    return {
        "digest": manifest.digest,
        "location": location,
        **{figure: sum(statistics[figure] for statistics in of_splits.values()) for figure in figures},
        "num_shards": sum(len(split.shards) for split in manifest.splits.values()),
        "statistics": of_splits,
        **{key: content[key] for key in ("features", "spec", "source", "code", "checks", "counts")},
    }
