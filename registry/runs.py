"""The part of the registry that knows runs: what they were asked, how they ended, what they measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from groupstream.errors import UsageError
from groupstream.manifest import CheckResult
from registry.columns import storable
from registry.connection import Connected
from registry.errors import RegistryError
from registry.models import NO_STEP, Dataset, Run, RunMetric, utc_now
from registry.records import Metric, RunRecord, metric_of, run_record
from registry.retries import retried
from registry.rows import dataset_row, insert_into, normal_root, run_row
from registry.states import RunState

MAX_ERROR_CHARACTERS = 10_000

Outcome = Literal["published", "unchanged", "completed", "failed", "crashed", "cancelled"]


class Runs(Connected):
    """Records runs."""

    @retried
    def start_run(
        self,
        run_id: str,
        root: str,
        dataset: str,
        digest: str,
        prefect_flow_run_id: str | None = None,
        *,
        kind: str = "build",
        spec: Mapping[str, Any] | None = None,
        source: Mapping[str, Any] | None = None,
        code: Mapping[str, Any] | None = None,
        prefect_url: str | None = None,
    ) -> None:
        """Records that a run is running. A run that is tried again keeps its row and its start.

        Args:
            root: of the store of the dataset.
            dataset: that it builds or reads.
            kind: what it does, in a word: "build", "train".
            spec: what it was asked to do.
            source: the identity of the data.
            code: the versions of our distributions.
            prefect_url: its page.
        """
        with self._writing() as session:
            run = run_row(session, run_id, dataset_row(session, root, dataset), digest)
            run.kind, run.prefect_flow_run_id, run.prefect_url = kind, prefect_flow_run_id, prefect_url
            run.spec, run.source, run.code = storable(spec), storable(source), storable(code)
            run.state, run.version, run.error, run.ended_at = RunState.RUNNING, None, None, None
            run.checks, run.report = None, None

    @retried
    def record_checks(self, run_id: str, results: Sequence[CheckResult], report: str | None) -> None:
        """Records what the checks of a run found.

        Args:
            report: where its report or its quarantine is, if it left any.

        Raises:
            RegistryError: no such run was started.
        """
        with self._writing() as session:
            run = self._started_run(session, run_id)
            run.checks = [storable(result.model_dump(mode="json")) for result in results]
            run.report = report

    @retried
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
            state: "completed" is for runs that publish nothing.
            version: what it published or found unchanged.
            error: stored up to 10,000 characters.

        Raises:
            RegistryError: no such run was started.
        """
        with self._writing() as session:
            run = self._started_run(session, run_id)
            run.state, run.version, run.ended_at = RunState(state), version, utc_now()
            run.stage_seconds = storable(stage_seconds or {})
            run.error = None if error is None else storable(error)[:MAX_ERROR_CHARACTERS]

    @retried
    def end_running(self, run_id: str, state: Literal["failed", "crashed", "cancelled"], error: str) -> bool:
        """Records how a run ended that could not do so itself. One that has ended stays as it is: then it is False.

        Raises:
            RegistryError: no such run was started.
        """
        with self._writing() as session:
            run = self._started_run(session, run_id)
            if run.state != RunState.RUNNING:
                return False
            run.state, run.ended_at, run.error = RunState(state), utc_now(), storable(error)[:MAX_ERROR_CHARACTERS]
            return True

    @retried
    def running(self, root: str) -> list[RunRecord]:
        """The runs for this root that have not said how they ended, oldest first."""
        query = select(Run).join(Run.dataset).where(Run.state == RunState.RUNNING).order_by(Run.started_at, Run.id)
        with self._reading() as session:
            return [run_record(row) for row in session.scalars(query.where(Dataset.root == normal_root(root)))]

    @retried
    def runs(self, name: str | None = None, limit: int = 50, root: str | None = None) -> list[RunRecord]:
        """The `limit` runs that started last, of one dataset or of all, newest first."""
        query = select(Run).order_by(Run.started_at.desc(), Run.id.desc()).limit(limit)
        if name is not None:
            query = query.join(Run.dataset).where(Dataset.name == name)
        if root is not None:  # not by a join: SQLite would then read and sort all runs of the root
            query = query.where(Run.dataset.has(Dataset.root == normal_root(root)))
        with self._reading() as session:
            return [run_record(row) for row in session.scalars(query)]

    @retried
    def run(self, run_id: str) -> RunRecord | None:
        """A run by its id, None where it is not known."""
        with self._reading() as session:
            row = session.scalars(select(Run).where(Run.id == run_id)).one_or_none()
            return None if row is None else run_record(row)

    @retried
    def record_metrics(self, run_id: str, metrics: Iterable[Metric]) -> None:
        """Records figures of a run. One that is there, with this name and step, takes the new value.

        Raises:
            RegistryError: no such run was started.
            UsageError: a step is negative.
        """
        values = {(metric.name, _step_of(metric)): metric.value for metric in metrics}
        rows = [
            {"run_id": run_id, "name": n, "step": s, "value": None if v != v else v} for (n, s), v in values.items()
        ]
        with self._writing() as session:
            self._started_run(session, run_id)
            insert = insert_into(session, RunMetric)
            upsert = insert.on_conflict_do_update(
                index_elements=["run_id", "name", "step"], set_={"value": insert.excluded.value}
            )
            if rows:
                session.execute(upsert, rows)

    @retried
    def metrics(self, run_id: str) -> list[Metric]:
        """The figures of a run, by name and step."""
        query = select(RunMetric).where(RunMetric.run_id == run_id).order_by(RunMetric.name, RunMetric.step)
        with self._reading() as session:
            return [metric_of(row) for row in session.scalars(query)]

    def _started_run(self, session: Session, run_id: str) -> Run:
        run = session.get(Run, run_id, with_for_update={"of": Run})
        if run is None:
            raise RegistryError(f"run {run_id!r} is not in registry {self.url}; record it first with start_run")
        return run


def _step_of(metric: Metric) -> int:
    if metric.step is not None and metric.step < 0:
        raise UsageError(f"metric {metric.name!r} has the step {metric.step}; steps count from 0, or are None")
    return NO_STEP if metric.step is None else metric.step
