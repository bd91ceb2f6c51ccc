"""A training run in the registry, against the version that it read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from prefect.runtime import flow_run
from prefect.utilities.urls import url_for

from cards.training import percentile_table
from groupstream.stores import is_url
from pipelines.draft import code_versions
from registry import Registry, RegistryError
from registry.records import Metric
from registry.url import FILE, URL_VARIABLE
from tasks.known_registry import known_registry
from tasks.masking import masked
from tasks.reporting import Stages
from training.spec import TrainSpec

if TYPE_CHECKING:
    from training.problem import Problem
    from training.results import Results


class RecordedTraining:
    """A run, as the registry keeps it; nothing where there is no registry."""

    def __init__(self, registry: Registry | None) -> None:
        self._registry = registry
        self._id = str(flow_run.id)

    def measured(self, results: Results) -> None:
        """Records the percentiles of each algorithm, and the loss of each round and trial."""
        if self._registry is not None:
            self._registry.record_metrics(self._id, metrics_of(results))


@contextmanager
def recorded_training(spec: TrainSpec, problem: Problem, root: str, stages: Stages) -> Iterator[RecordedTraining]:
    """Records a run from its start to its end, however it ends."""
    manifest, run_id = problem.dataset.manifest, str(flow_run.id)
    with known_registry(root) if _is_registered(root) else nullcontext() as registry:
        if registry is not None:
            registry.start_run(
                run_id,
                root,
                manifest.name,
                spec.digest,
                run_id,
                kind="train",
                spec=spec.model_dump(mode="json"),
                source={"ref": manifest.ref, "digest": manifest.digest},
                code=code_versions(),
                prefect_url=url_for("flow-run", obj_id=flow_run.id),
            )
            registry.record_use(run_id, root, manifest.name, manifest.version)
        try:
            yield RecordedTraining(registry)
        except BaseException as error:
            if registry is not None:
                with suppress(RegistryError):  # the error of the training matters more than its record
                    text = masked(f"{type(error).__name__}: {error}")
                    registry.finish_run(run_id, "failed", stage_seconds=stages.seconds, error=text)
            raise
        if registry is not None:
            registry.finish_run(run_id, "completed", manifest.version, stages.seconds)


def _is_registered(root: str) -> bool:
    """Whether the root has a registry already: a training makes none where it only reads."""
    return bool(os.environ.get(URL_VARIABLE)) or (not is_url(root) and (Path(root).expanduser() / FILE).exists())


def metrics_of(results: Results) -> list[Metric]:
    """The figures that are kept of a run."""
    rows = percentile_table(results.evaluation).to_pylist()
    percents = ("p10", "p50", "p90")
    found = [Metric(f"{r['algorithm']}/{r['measure']}_{r['moment']}/{p}", r[p]) for r in rows for p in percents]
    names = ("algorithm", "seed", "round", "loss_before")
    for label, seed, number, loss in zip(*(results.rounds[name].to_pylist() for name in names), strict=True):
        found.append(Metric(f"{label}/seed{seed}/loss", loss, number))
    return found
