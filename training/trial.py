"""A trial: one algorithm with one seed, from the first parameters to figures of held-out groups.

All of it lies in one folder, and a trial that was killed goes on from there as if nothing had been:

    checkpoints/           the newest states of the server
    clients/               what clients keep, of the algorithms where they keep something
    rounds.csv             the figures of each round; tensorboard/ has the same
    evaluation-*.parquet   figures of held-out groups, for each way in which they were measured
    trial.json             how training ended: all rounds were done, or the loss was no number any more
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import jax
import numpy as np

from groupstream.cohorts import Cohorts
from training.algorithms import Algorithm, Cohort, Metrics, OverClients, ServerState
from training.building import build_algorithm, build_rate, spread
from training.checkpoints import Checkpoints
from training.client_states import ClientStates
from training.data.packing import CohortPacker, Packing, PackingCounts
from training.data.prefetch import prefetch, rounds
from training.devices import device_name, matrix_rate
from training.errors import DivergedError, explaining_memory
from training.evaluation import as_parquet, evaluate
from training.files import alone_in, write_whole
from training.problem import Problem
from training.round_log import RoundFigures, RoundLog
from training.spec import TrainSpec
from training.spec_algorithms import AnyAlgorithm, FedSgd

ENDED = "trial.json"


@dataclass(frozen=True)
class TrialPlan:
    """What a trial is.

    Attributes:
        folder: where its files go.
    """

    spec: TrainSpec
    problem: Problem
    algorithm: AnyAlgorithm
    seed: int
    folder: Path

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return f"{self.algorithm.label}, seed {self.seed}"

    @property
    def evaluation_file(self) -> Path:
        """Figures of held-out groups, as they are measured by this spec."""
        return self.folder / f"evaluation-{self.spec.evaluation_digest}.parquet"

    def ending(self) -> TrialEnding | None:
        """How its training ended; None if it has not."""
        path = self.folder / ENDED
        return TrialEnding(**json.loads(path.read_text())) if path.exists() else None

    def is_done(self) -> bool:
        """Whether there is nothing left to do."""
        ending = self.ending()
        return ending is not None and (ending.diverged is not None or self.evaluation_file.exists())


@dataclass(frozen=True)
class TrialEnding:
    """How the training of a trial ended.

    Attributes:
        num_params: of the model.
        device: where its last rounds were computed, in words.
        matrix_rate: of these devices together, in FLOP/s; see `matrix_rate`.
        diverged: what there is to say if the loss was no number any more; None if all rounds were done.
    """

    num_params: int
    device: str
    matrix_rate: float
    diverged: str | None = None


def run_trial(plan: TrialPlan, on_round: Callable[[RoundFigures], None] = lambda figures: None) -> None:
    """Runs a trial to its end, from its newest checkpoint if there is one; what is done is not done again.

    Args:
        on_round: called after each round.

    Raises:
        DivergedError: a loss became nan or infinite, now or when this was run before.
        DeviceMemoryError: a round does not fit into the memory of the device.
        UsageError: another process is at this trial.
    """
    with alone_in(plan.folder), explaining_memory(plan.name), Checkpoints(plan.folder / "checkpoints") as checkpoints:
        if plan.ending() is None:
            _train(plan, checkpoints, on_round)
        ending = plan.ending()
        if ending is not None and ending.diverged is not None:
            raise DivergedError(ending.diverged)
        if not plan.evaluation_file.exists():
            params = checkpoints.restore(_first_state(plan)).params
            held_out = evaluate(plan.spec, plan.problem, params)
            write_whole(plan.evaluation_file, as_parquet(held_out))


def _algorithm(plan: TrialPlan) -> Algorithm:
    num_clients = _cohorts(plan).num_groups
    return build_algorithm(plan.algorithm, plan.problem.model, plan.spec.rounds, _over_clients(plan.spec), num_clients)


def _over_clients(spec: TrainSpec) -> OverClients:
    return spread(spec.cohort_size, spec.clients_at_once)


def _first_state(plan: TrialPlan) -> ServerState:
    """The state before round 0."""
    return _algorithm(plan).init(jax.jit(plan.problem.model.init)(jax.random.key(plan.seed)))


def _train(plan: TrialPlan, checkpoints: Checkpoints, on_round: Callable[[RoundFigures], None]) -> None:
    """Does all rounds that are left, and says how they ended."""
    spec, cohorts, algorithm, over = plan.spec, _cohorts(plan), _algorithm(plan), _over_clients(plan.spec)
    state = _first_state(plan)
    rate = matrix_rate(plan.problem.dtype)
    num_params = sum(leaf.size for leaf in jax.tree.leaves(state.params))
    start = checkpoints.newest_round()
    if start:
        state = checkpoints.restore(state)
    state = over.everywhere(state)
    clients = ClientStates(plan.folder / "clients", start)
    pack = CohortPacker(plan.problem.form, _packing(spec, plan.seed), spec.cohort_size)
    with (
        prefetch(rounds(cohorts, start, spec.rounds), pack) as packed_rounds,
        RoundLog(plan.folder, start) as log,
    ):
        clock = _Clock()
        for number, packed in packed_rounds:
            kept = clients.load(packed.cohort, algorithm.init_client(state.params))
            arrays = packed.cohort.batches, packed.cohort.num_targets.astype(np.float32), kept
            cohort = jax.block_until_ready(Cohort(*over.divided(arrays)))  # type: ignore[no-untyped-call]
            clock.data_is_there()
            result = algorithm.apply(state, cohort)
            state, metrics = result.state, jax.device_get(result.metrics)
            clients.save(number, packed.cohort, result.client_states)
            figures = _figures(plan, number, metrics, packed.counts, clock)
            log.write(figures)
            if diverged := _diverged(plan, figures):
                _end(plan, TrialEnding(num_params, device_name(), rate, diverged))
                return
            on_round(figures)
            if (number + 1) % spec.checkpoint_rounds == 0 or number + 1 == spec.rounds:
                log.sync()
                checkpoints.save(number + 1, state)
                clients.forget_before(number + 1)
            clock.restart()
    _end(plan, TrialEnding(num_params, device_name(), rate))


def _end(plan: TrialPlan, ending: TrialEnding) -> None:
    write_whole(plan.folder / ENDED, json.dumps(asdict(ending), indent=2).encode())


def _cohorts(plan: TrialPlan) -> Cohorts:
    """Of the groups that take part."""
    groups = plan.problem.groups.training.select(*plan.problem.form.features)
    return groups.cohorts(plan.spec.cohort_size, seed=plan.seed, sampling=plan.spec.sampling)


def _packing(spec: TrainSpec, seed: int) -> Packing:
    return Packing(spec.local_steps, spec.batch_size, num_epochs=spec.local_epochs, shuffle_seed=seed)


class _Clock:
    """How long a round takes, and how long it waits for data."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """A round begins."""
        self._start = time.perf_counter()

    def data_is_there(self) -> None:
        """What it needs is on the device."""
        self.data_seconds = time.perf_counter() - self._start

    @property
    def seconds(self) -> float:
        """Since the round began."""
        return time.perf_counter() - self._start


def _figures(plan: TrialPlan, number: int, metrics: Metrics, counts: PackingCounts, clock: _Clock) -> RoundFigures:
    local, num_rounds = metrics.local, plan.spec.rounds
    client_rate = None if isinstance(plan.algorithm, FedSgd) else build_rate(plan.algorithm.client.rate, num_rounds)
    return RoundFigures(
        round=number,
        loss_before=float(local.before.mean_loss),
        loss_during=float(local.during.mean_loss),
        accuracy_before=float(local.before.accuracy),
        num_steps=float(local.num_steps),
        update_norm=float(metrics.update_norm),
        client_learning_rate=float(client_rate(number)) if client_rate else 0.0,
        server_learning_rate=float(build_rate(plan.algorithm.server.rate, num_rounds)(number)),
        seconds=clock.seconds,
        data_seconds=clock.data_seconds,
        packing=counts,
    )


def _diverged(plan: TrialPlan, figures: RoundFigures) -> str | None:
    """What there is to say if a figure is no number; None if all are."""
    if math.isfinite(figures.loss_during) and math.isfinite(figures.update_norm):
        return None
    server = f"server.rate, which is {figures.server_learning_rate:g} there"
    if isinstance(plan.algorithm, FedSgd):
        way_out = f"lower its {server}, or give it a warmup"
    else:
        client = f"client.rate, which is {figures.client_learning_rate:g} there"
        way_out = f"lower its {client}, or its {server}, give them a warmup, or set client.clip_norm"
    return (
        f"the loss of {plan.name} became {figures.loss_during} in round {figures.round} (norm of the update "
        f"{figures.update_norm:.3g}); {way_out}"
    )
