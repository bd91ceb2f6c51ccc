"""What the registry gives back: values, which stay valid when the database is closed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from registry.models import NO_STEP, AliasMove, Dataset, Pull, Run, RunMetric, Version


@dataclass(frozen=True, kw_only=True)
class DatasetRecord:
    """A dataset.

    Attributes:
        root: of its store; "" where it was recorded before the registry knew roots.
        aliases: the version of each.
        catalog_revision: of the catalog in the store, as it was copied last; 0 where it never was.
    """

    name: str
    root: str
    aliases: dict[str, str]
    catalog_revision: int


@dataclass(frozen=True, kw_only=True)
class VersionRecord:
    """A version.

    Attributes:
        name: of the dataset.
        root: of its store; "" where it was recorded before the registry knew roots.
        state: "pending" while a run builds it, then "published"; later perhaps "deprecated", "deleted" or "failed".
        message: why it is deprecated, deleted or failed, for people.
        run_id: the run that built it, if that is known.
        location: the folder of the version, as it was recorded.
        has_manifest: False where only the catalog is known: then there are no features, spec, source, code, checks
            and counts, and no shards. `record_published` adds them.
        num_bytes: of the serialised examples of all splits, without the framing of the files.
        statistics: of each split, as in the manifest.
        parent_name: with `parent_version` and `parent_digest`, the version that it was partitioned anew from.
        created_at: when the version was first reserved or recorded, in UTC.
        changed_at: when its state or its message last changed; `changed_by`: who deprecated or deleted it.
    """

    name: str
    root: str
    version: str
    digest: str
    state: str
    message: str
    run_id: str | None
    location: str
    has_manifest: bool
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
    parent_name: str | None
    parent_version: str | None
    parent_digest: str | None
    created_at: datetime
    published_at: datetime | None
    changed_at: datetime
    changed_by: str

    @property
    def ref(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, kw_only=True)
class AliasMoveRecord:
    """An alias was set, moved or removed. `version` is None where it was removed; `by` says who did it."""

    alias: str
    version: str | None
    at: datetime
    by: str


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """A run of a flow.

    Attributes:
        root: of the store of its dataset.
        kind: what it does: "build", or the word that `start_run` was given.
        state: "running", "published", "unchanged", "completed" or "failed".
        version: what it published or found unchanged.
        prefect_url: its page in Prefect.
        spec: what it was asked to do, if it was recorded; as `source`, the identity of the data, and `code`, the
            versions of our distributions.
        stage_seconds: how long each stage took.
        error: of a failed run, at most 10,000 characters.
        checks: what its checks found, as in a manifest; None where it did not come so far.
        report: where it left its report and its quarantine, if it left any.
    """

    id: str
    dataset: str
    root: str
    kind: str
    digest: str
    state: str
    version: str | None
    prefect_flow_run_id: str | None
    prefect_url: str | None
    spec: dict[str, Any] | None
    source: dict[str, Any] | None
    code: dict[str, Any] | None
    stage_seconds: dict[str, float]
    error: str | None
    checks: list[dict[str, Any]] | None
    report: str | None
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True)
class Metric:
    """A figure of a run.

    Attributes:
        value: may be infinite, or not a number.
        step: of a series, such as the round of a training, from 0; None for a figure of the whole run.
    """

    name: str
    value: float
    step: int | None = None


@dataclass(frozen=True)
class PullRecord:
    """Somebody copied a version, as they say.

    Attributes:
        id: of this pull; recording it again changes nothing.
        at: with a time zone.
        splits: which of them.
        num_bytes: how much was fetched.
    """

    id: str
    name: str
    version: str
    at: datetime
    by: str
    splits: Sequence[str]
    num_bytes: int


@dataclass(frozen=True, kw_only=True)
class RelatedVersion:
    """A version at the other end of a lineage. `root` and `state` are None where the registry has no row of it."""

    name: str
    version: str
    digest: str
    root: str | None = None
    state: str | None = None


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """Where a version comes from, and what came of it.

    Attributes:
        parents: what it was partitioned anew from.
        children: what was partitioned anew from it, in whatever root.
        runs: the runs that read it, newest first.
    """

    parents: list[RelatedVersion]
    children: list[RelatedVersion]
    runs: list[RunRecord]


def dataset_record(row: Dataset, aliases: Mapping[str, str]) -> DatasetRecord:
    """The value of a row."""
    return DatasetRecord(
        name=row.name, root=row.root, aliases=dict(sorted(aliases.items())), catalog_revision=row.catalog_revision
    )


def version_record(row: Version) -> VersionRecord:
    """The value of a row."""
    given = {"name": row.dataset.name, "root": row.dataset.root, "state": row.state.value}
    return VersionRecord(**_values(row, VersionRecord, given))


def run_record(row: Run) -> RunRecord:
    """The value of a row."""
    given = {"dataset": row.dataset.name, "root": row.dataset.root, "state": row.state.value}
    return RunRecord(**_values(row, RunRecord, given))


def alias_move_record(row: AliasMove) -> AliasMoveRecord:
    """The value of a row."""
    return AliasMoveRecord(**_values(row, AliasMoveRecord, {"version": row.version or None}))


def metric_of(row: RunMetric) -> Metric:
    """The value of a row."""
    value = float("nan") if row.value is None else row.value
    return Metric(row.name, value, None if row.step == NO_STEP else row.step)


def pull_record(row: Pull) -> PullRecord:
    """The value of a row."""
    return PullRecord(**_values(row, PullRecord, {"splits": tuple(row.splits)}))


def _values(row: Any, kind: type[Any], given: dict[str, Any]) -> dict[str, Any]:
    return {field.name: getattr(row, field.name) for field in fields(kind) if field.name not in given} | given
