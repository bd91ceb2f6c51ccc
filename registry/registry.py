"""What may be recorded in the registry, and asked of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from groupstream.layout import version_key
from groupstream.manifest import CheckResult, Manifest
from registry.columns import storable
from registry.database import open_engine
from registry.errors import RegistryError, one_line_errors, shown_url
from registry.models import Dataset, Run, RunState, Version, VersionState, utc_now
from registry.records import RunRecord, VersionRecord, run_record, version_record
from registry.rows import fill_version, run_row, version_row

MAX_ERROR_CHARACTERS = 10_000

Outcome = Literal["published", "unchanged", "failed"]


class Registry:
    """The registry at a URL. Every method is one transaction, and doing it again after a failure is safe.

    Threads may share one; a process opens its own.
    """

    def __init__(self, url: str) -> None:
        """Opens the registry; creates and migrates its tables where needed.

        Args:
            url: `sqlite:////data/registry.db` or `postgresql+psycopg://user:password@host/name`.

        Raises:
            RegistryError: it cannot be opened or written, or newer code has migrated it.
        """
        self._engine = open_engine(url)
        self.url = shown_url(self._engine.url)  # without its password

    def close(self) -> None:
        """Closes the connections."""
        self._engine.dispose()

    def start_run(self, run_id: str, dataset: str, digest: str, prefect_flow_run_id: str | None = None) -> None:
        """Records that a run is running. A run that is tried again keeps its row and its start."""
        with self._transaction() as session:
            run = run_row(session, run_id, dataset, digest)
            run.prefect_flow_run_id = prefect_flow_run_id
            run.state, run.version, run.error, run.ended_at = RunState.RUNNING, None, None, None
            run.checks, run.report = None, None

    def record_checks(self, run_id: str, results: Sequence[CheckResult], report: str | None) -> None:
        """Records what the checks of a run found.

        Args:
            report: where its report or its quarantine is, if it left any.

        Raises:
            RegistryError: no such run was started.
        """
        with self._transaction() as session:
            run = self._started_run(session, run_id)
            run.checks = [storable(result.model_dump(mode="json")) for result in results]
            run.report = None if report is None else storable(report)

    def finish_run(
        self,
        run_id: str,
        state: Outcome,
        version: str | None = None,
        stage_seconds: Mapping[str, float] | None = None,
        error: str | None = None,
    ) -> None:
        """Records how a run ended.

        Args:
            version: what it published or found unchanged.
            error: stored up to 10,000 characters.

        Raises:
            RegistryError: no such run was started.
        """
        with self._transaction() as session:
            run = self._started_run(session, run_id)
            run.state, run.version, run.ended_at = RunState(state), version, utc_now()
            run.stage_seconds = storable(stage_seconds or {})
            run.error = None if error is None else storable(error)[:MAX_ERROR_CHARACTERS]

    def reserve_version(self, manifest: Manifest, location: str) -> None:
        """Records that a version is being built. Takes over from an unfinished build; a published one stays as it is.

        Args:
            location: the folder of the version.

        Raises:
            RegistryError: another build is published as this version.
        """
        with self._transaction() as session:
            row = version_row(session, manifest, location)
            self._refuse_other_build(row, manifest)
            if row.state is VersionState.PENDING:
                fill_version(row, manifest, location)

    def record_published(self, manifest: Manifest, location: str, published_at: datetime) -> None:
        """Records that a version is in the store, reserved before or not. Again: it keeps its first `published_at`.

        Args:
            location: the folder of the version; the newest is kept.
            published_at: with a time zone.

        Raises:
            RegistryError: another build is published as this version.
        """
        with self._transaction() as session:
            row = version_row(session, manifest, location)
            self._refuse_other_build(row, manifest)
            fill_version(row, manifest, location)
            row.state = VersionState.PUBLISHED
            row.published_at = row.published_at or published_at

    def versions(self, name: str | None = None) -> list[VersionRecord]:
        """The versions of one dataset or of all, pending ones too: by name, then by number, newest last."""
        query = select(Version) if name is None else select(Version).join(Version.dataset).where(Dataset.name == name)
        with self._transaction() as session:
            records = [version_record(row) for row in session.scalars(query)]
        return sorted(records, key=lambda record: (record.name, version_key(record.version)))

    def runs(self, name: str | None = None, limit: int = 50) -> list[RunRecord]:
        """The `limit` runs that started last, of one dataset or of all, newest first."""
        query = select(Run) if name is None else select(Run).join(Run.dataset).where(Dataset.name == name)
        with self._transaction() as session:
            rows = session.scalars(query.order_by(Run.started_at.desc(), Run.id.desc()).limit(limit))
            return [run_record(row) for row in rows]

    @contextmanager
    def _transaction(self) -> Iterator[Session]:
        with one_line_errors(self._engine.url), Session(self._engine) as session, session.begin():
            yield session

    def _started_run(self, session: Session, run_id: str) -> Run:
        run = session.get(Run, run_id, with_for_update={"of": Run})
        if run is None:
            raise RegistryError(f"run {run_id!r} is not in registry {self.url}; record it first with start_run")
        return run

    def _refuse_other_build(self, row: Version, manifest: Manifest) -> None:
        if row.state is VersionState.PUBLISHED and row.digest != manifest.digest:
            raise RegistryError(
                f"{manifest.ref} is published in registry {self.url} with digest {row.digest[:12]}, not "
                f"{manifest.digest[:12]}; a version never changes. Set publish.version to another number"
            )
