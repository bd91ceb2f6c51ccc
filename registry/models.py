"""The tables: datasets, their versions, and the runs that build them. After a change here, add a migration."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, MetaData, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from registry.columns import JSON_TYPE, UtcDateTime, state_type


class VersionState(StrEnum):
    """How far a version is."""

    PENDING = "pending"  # a run builds it
    PUBLISHED = "published"  # its manifest is in the store


class RunState(StrEnum):
    """How far a run is, or how it ended."""

    RUNNING = "running"
    PUBLISHED = "published"
    UNCHANGED = "unchanged"  # the same build was published before
    FAILED = "failed"


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
        VersionState: state_type(VersionState),
        RunState: state_type(RunState),
    }


class Dataset(Base):
    """A dataset, known by its name."""

    __tablename__ = "datasets"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Version(Base):
    """A version of a dataset. The figures are sums over its splits."""

    __tablename__ = "versions"
    __table_args__ = (UniqueConstraint("dataset_id", "version"),)  # also the index of the foreign key

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"))
    version: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64), index=True)
    state: Mapped[VersionState] = mapped_column(default=VersionState.PENDING)
    location: Mapped[str] = mapped_column(Text)
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
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    published_at: Mapped[datetime | None]

    dataset: Mapped[Dataset] = relationship(lazy="joined", innerjoin=True)


class Run(Base):
    """A run of the build. `version` is text: a run may fail before the version has a row."""

    __tablename__ = "runs"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"), index=True)
    digest: Mapped[str] = mapped_column(String(64), index=True)
    state: Mapped[RunState] = mapped_column(default=RunState.RUNNING)
    version: Mapped[str | None] = mapped_column(String(64))
    prefect_flow_run_id: Mapped[str | None] = mapped_column(String(64))
    stage_seconds: Mapped[dict[str, Any]] = mapped_column(default=dict)
    error: Mapped[str | None] = mapped_column(Text)
    checks: Mapped[list[dict[str, Any]] | None]
    report: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)
    ended_at: Mapped[datetime | None]

    dataset: Mapped[Dataset] = relationship(lazy="joined", innerjoin=True)
