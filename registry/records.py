"""What the registry gives back: values, which stay valid when the database is closed."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from registry.models import Run, Version


@dataclass(frozen=True, kw_only=True)
class VersionRecord:
    """A version.

    Attributes:
        name: of the dataset.
        state: "pending" while a run builds it, then "published".
        location: the folder of the version, as it was recorded.
        num_bytes: of the serialised examples of all splits, without the framing of the files.
        statistics: of each split, as in the manifest.
        created_at: when the version was first reserved or recorded, in UTC.
    """

    name: str
    version: str
    digest: str
    state: str
    location: str
    num_groups: int
    num_examples: int
    num_bytes: int
    num_words: int
    num_shards: int
    statistics: dict[str, Any]
    features: dict[str, Any]
    spec: dict[str, Any]
    source: dict[str, Any]
    code: dict[str, Any]
    checks: list[dict[str, Any]]
    counts: dict[str, Any]
    created_at: datetime
    published_at: datetime | None

    @property
    def ref(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """A run of the build.

    Attributes:
        state: "running", "published", "unchanged" or "failed".
        version: what it published or found unchanged.
        stage_seconds: how long each stage took.
        error: of a failed run, at most 10,000 characters.
        checks: what its checks found, as in a manifest; None where it did not come so far.
        report: where it left its report and its quarantine, if it left any.
    """

    id: str
    dataset: str
    digest: str
    state: str
    version: str | None
    prefect_flow_run_id: str | None
    stage_seconds: dict[str, float]
    error: str | None
    checks: list[dict[str, Any]] | None
    report: str | None
    started_at: datetime
    ended_at: datetime | None


def version_record(row: Version) -> VersionRecord:
    """The value of a row."""
    return VersionRecord(name=row.dataset.name, **_values(row, VersionRecord, leave_out="name"))


def run_record(row: Run) -> RunRecord:
    """The value of a row."""
    return RunRecord(dataset=row.dataset.name, **_values(row, RunRecord, leave_out="dataset"))


def _values(row: Version | Run, kind: type[VersionRecord | RunRecord], leave_out: str) -> dict[str, Any]:
    names = (field.name for field in fields(kind) if field.name != leave_out)
    return {name: getattr(row, name) for name in names} | {"state": row.state.value}
