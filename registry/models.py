"""The tables. After a change here, add a migration.

    datasets ── versions            what is, or was, in the stores
        ├────── aliases, alias_moves
        └────── runs ── metrics
                  └──── run_inputs  which versions a run read
    pulls                           who copied what

What leads to a version from elsewhere holds its name and number as text: it may have no row here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, Float, ForeignKey, Index, MetaData, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from registry.columns import JSON_TYPE, StoredString, StoredText, UtcDateTime, state_type
from registry.states import RunState, VersionState

UNKNOWN_ROOT = ""  # of a dataset that was recorded before the registry knew roots
NO_STEP = -1  # of a metric of a whole run: NULL would not be unique


def utc_now() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """What all tables share: the names of constraints, so that a migration can drop them on every database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it so
        datetime: UtcDateTime,
        dict[str, Any]: JSON_TYPE,
        list[dict[str, Any]]: JSON_TYPE,
        list[str]: JSON_TYPE,
        VersionState: state_type(VersionState),
        RunState: state_type(RunState),
    }


class Dataset(Base):
    """A dataset, known by the root of its store and its name."""

    __tablename__ = "datasets"
    __table_args__ = (UniqueConstraint("root", "name"), Index(None, "name"))

    id: Mapped[int] = mapped_column(primary_key=True)
    root: Mapped[str] = mapped_column(StoredText, default=UNKNOWN_ROOT)
    name: Mapped[str] = mapped_column(StoredString(100))
    catalog_revision: Mapped[int] = mapped_column(BigInteger, default=0)  # of the copy that was taken last
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Version(Base):
    """A version of a dataset. The figures are sums over its splits."""

    __tablename__ = "versions"
    __table_args__ = (  # the first is also the index of the foreign key
        UniqueConstraint("dataset_id", "version"),
        Index(None, "parent_name", "parent_version"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"))
    version: Mapped[str] = mapped_column(StoredString(64))
    digest: Mapped[str] = mapped_column(StoredString(64), index=True)
    state: Mapped[VersionState] = mapped_column(default=VersionState.PENDING)
    message: Mapped[str] = mapped_column(StoredText, default="")
    run_id: Mapped[str | None] = mapped_column(StoredString(64))  # no foreign key: the run may be of another registry
    location: Mapped[str] = mapped_column(StoredText)
    has_manifest: Mapped[bool] = mapped_column(default=True)
    num_groups: Mapped[int] = mapped_column(BigInteger)
    num_examples: Mapped[int] = mapped_column(BigInteger)
    num_bytes: Mapped[int] = mapped_column(BigInteger)
    num_words: Mapped[int] = mapped_column(BigInteger)
    num_shards: Mapped[int]
    statistics: Mapped[dict[str, Any]]  # of each split
    features: Mapped[dict[str, Any]]
    spec: Mapped[dict[str, Any]]
    source: Mapped[dict[str, Any]]
    code: Mapped[dict[str, Any]]
    checks: Mapped[list[dict[str, Any]]]
    counts: Mapped[dict[str, Any]]
    parent_name: Mapped[str | None] = mapped_column(StoredString(100))  # what it was partitioned anew from
    parent_version: Mapped[str | None] = mapped_column(StoredString(64))
    parent_digest: Mapped[str | None] = mapped_column(StoredString(64))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    published_at: Mapped[datetime | None]
    changed_at: Mapped[datetime] = mapped_column(default=utc_now)  # its state or its message
    changed_by: Mapped[str] = mapped_column(StoredText, default="")

    dataset: Mapped[Dataset] = relationship(lazy="joined", innerjoin=True)


class Alias(Base):
    """Which version an alias leads to."""

    __tablename__ = "aliases"

    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"), primary_key=True)
    alias: Mapped[str] = mapped_column(StoredString(64), primary_key=True)
    version: Mapped[str] = mapped_column(StoredString(64))


class AliasMove(Base):
    """An alias was set, moved or removed; `version` is "" where it was removed: NULL would not be unique."""

    __tablename__ = "alias_moves"
    __table_args__ = (UniqueConstraint("dataset_id", "alias", "at", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)  # in the order of the moves
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"))
    alias: Mapped[str] = mapped_column(StoredString(64))
    version: Mapped[str] = mapped_column(StoredString(64))
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(StoredText)


class Run(Base):
    """A run of a flow. `version` is text: a run may fail before the version has a row."""

    __tablename__ = "runs"

    id: Mapped[str] = mapped_column(StoredString(64), primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"), index=True)
    kind: Mapped[str] = mapped_column(StoredString(32), default="build")
    digest: Mapped[str] = mapped_column(StoredString(64), index=True)
    state: Mapped[RunState] = mapped_column(default=RunState.RUNNING)
    version: Mapped[str | None] = mapped_column(StoredString(64))
    prefect_flow_run_id: Mapped[str | None] = mapped_column(StoredString(64))
    prefect_url: Mapped[str | None] = mapped_column(StoredText)
    spec: Mapped[dict[str, Any] | None]
    source: Mapped[dict[str, Any] | None]
    code: Mapped[dict[str, Any] | None]
    stage_seconds: Mapped[dict[str, Any]] = mapped_column(default=dict)
    error: Mapped[str | None] = mapped_column(StoredText)
    checks: Mapped[list[dict[str, Any]] | None]
    report: Mapped[str | None] = mapped_column(StoredText)
    started_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)
    ended_at: Mapped[datetime | None]

    dataset: Mapped[Dataset] = relationship(lazy="joined", innerjoin=True)


class RunInput(Base):
    """A run read a version."""

    __tablename__ = "run_inputs"
    __table_args__ = (Index(None, "name", "version"),)

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    root: Mapped[str] = mapped_column(StoredText, primary_key=True)
    name: Mapped[str] = mapped_column(StoredString(100), primary_key=True)
    version: Mapped[str] = mapped_column(StoredString(64), primary_key=True)


class RunMetric(Base):
    """A figure of a run. `value` is NULL where it is not a number, which SQLite cannot hold."""

    __tablename__ = "metrics"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    name: Mapped[str] = mapped_column(StoredString(200), primary_key=True)
    step: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    value: Mapped[float | None] = mapped_column(Float(53))


class Pull(Base):
    """A version was copied. All of it comes from whoever pulled, who may have written anything."""

    __tablename__ = "pulls"
    __table_args__ = (Index(None, "name", "version", "at"),)

    id: Mapped[str] = mapped_column(StoredString(64), primary_key=True)
    root: Mapped[str] = mapped_column(StoredText)
    name: Mapped[str] = mapped_column(StoredString(100))
    version: Mapped[str] = mapped_column(StoredString(64))
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(StoredText)
    splits: Mapped[list[str]]
    num_bytes: Mapped[int] = mapped_column(BigInteger)
