"""How well a model does on groups that took no part in training: as it is, and made a group's own by a few steps."""

from __future__ import annotations

import functools
import hashlib
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pyarrow as pa
import pyarrow.parquet as pq

from groupstream.cohorts import Cohort
from training.algorithms import OverClients, Setup
from training.algorithms.fine_tuning import fine_tune
from training.algorithms.local_steps import where_targets
from training.building import spread
from training.data.held_out import count_groups
from training.data.held_out_clients import HeldOutCounts, HeldOutPacker
from training.data.packing import Packing
from training.data.prefetch import prefetch, rounds
from training.models import Batch, LossSums, Params
from training.problem import Problem
from training.spec import TrainSpec

MAX_GROUPS_AT_ONCE = 16
COUNTS = ("num_clients", "num_too_small", "num_without_targets")


@dataclass(frozen=True)
class HeldOutResult:
    """What came of held-out groups.

    Attributes:
        table: a row for each group and rate of fine-tuning; see `evaluate`.
        counts: what became of the groups.
    """

    table: pa.Table
    counts: HeldOutCounts


def evaluate(spec: TrainSpec, problem: Problem, params: Params) -> HeldOutResult:
    """Loss and accuracy of each held-out group, before and after fine-tuning on its own examples.

    Returns:
        a table with `group_id`, `learning_rate` of the fine-tuning, `num_targets` that were tested, `loss_before`,
        `loss_after` (nats a target), `accuracy_before`, `accuracy_after` (shares), and `is_selection`: whether the
        group is of the half that only chooses the rate.
    """
    of = spec.evaluation
    over = spread(_chunk_size(spec, problem)[0], spec.clients_at_once)
    measure, params = _compiled(problem.model.loss, over), over.everywhere(params)
    rates = jnp.asarray(of.learning_rates, jnp.float32)
    tables, counts = [], HeldOutCounts()
    with prefetch(_chunks(spec, problem), _packer(spec, problem)) as chunks:
        for _, packed in chunks:
            counts += packed.counts
            halves = over.divided((packed.tuning.batches, packed.testing.batches))
            before, after = jax.device_get(measure(params, halves, rates))
            tables.append(_table(packed.testing.group_ids, of.learning_rates, before, after))
    table = pa.concat_tables(tables)
    return HeldOutResult(table.append_column("is_selection", pa.array(_are_selection(table, of.seed))), counts)


def as_parquet(result: HeldOutResult) -> bytes:
    """The table as a file, which `read_held_out` reads; its metadata have the counts."""
    counts = {name: getattr(result.counts, name) for name in COUNTS}
    content = io.BytesIO()
    pq.write_table(result.table.replace_schema_metadata({"counts": json.dumps(counts)}), content)
    return content.getvalue()


def read_held_out(path: Path) -> tuple[pa.Table, dict[str, int]]:
    """The table of a file, and what became of the groups."""
    table = pq.read_table(path)
    return table.replace_schema_metadata(None), json.loads(table.schema.metadata[b"counts"])


def _chunks(spec: TrainSpec, problem: Problem) -> Iterator[Cohort]:
    """The groups that are measured, some at once; each at most once."""
    size, num_chunks = _chunk_size(spec, problem)
    held_out = problem.groups.held_out.select(*problem.form.features)
    return rounds(held_out.cohorts(size, seed=spec.evaluation.seed, sampling="epochs"), 0, num_chunks)


def _chunk_size(spec: TrainSpec, problem: Problem) -> tuple[int, int]:
    """How many groups at once, and how often."""
    num_groups = min(spec.evaluation.max_groups, count_groups(problem.groups.held_out))
    size = min(MAX_GROUPS_AT_ONCE, num_groups)
    return size, -(-num_groups // size)


def _packer(spec: TrainSpec, problem: Problem) -> HeldOutPacker:
    of = spec.evaluation
    return HeldOutPacker(
        problem.form,
        tuning=Packing(of.num_steps, of.batch_size, num_epochs=of.num_epochs),
        testing=Packing(of.test_steps, of.batch_size, num_epochs=1),
        cohort_size=_chunk_size(spec, problem)[0],
        seed=of.seed,
        protocol=of.protocol,
    )


@functools.lru_cache(maxsize=2)
def _compiled(
    loss: Callable[[Params, Batch], LossSums], over_clients: OverClients
) -> Callable[..., tuple[LossSums, LossSums]]:
    """What measures groups, the same for all algorithms: fine-tuning is plain SGD whatever the clients did."""
    setup = Setup(loss, optax.identity(), optax.constant_schedule(0.0), over_clients=over_clients)
    return jax.jit(functools.partial(_measure, setup))


def _measure(setup: Setup, params: Params, groups: tuple[Batch, Batch], rates: jax.Array) -> tuple[LossSums, LossSums]:
    """Sums before, [groups], and after, [groups, rates]."""

    def group(params: Params, halves: tuple[Batch, Batch]) -> tuple[tuple[()], tuple[LossSums, LossSums]]:
        tuning, testing = halves

        def tuned(rate: jax.Array) -> LossSums:
            return sums_of(setup, fine_tune(setup, params, tuning, rate), testing)

        return (), (sums_of(setup, params, testing), jax.lax.map(tuned, rates))

    return setup.over_clients.sum(group, params, groups)[1]


def sums_of(setup: Setup, params: Params, batches: Batch) -> LossSums:
    """The sums over all batches, each [steps, batch, ...]."""

    def step(carry: None, batch: Batch) -> tuple[None, LossSums]:
        return where_targets(lambda carry, batch: (carry, setup.loss(params, batch)), carry, batch)

    _, sums = jax.lax.scan(step, None, batches)
    return jax.tree.map(jnp.sum, sums)


def _table(group_ids: list[bytes], rates: list[float], before: LossSums, after: LossSums) -> pa.Table:
    num_groups, num_rates = len(group_ids), len(rates)

    def of_rates(values: np.ndarray) -> np.ndarray:
        """Of each group, once for each rate."""
        return np.repeat(values[:num_groups], num_rates)

    counts = np.asarray(before.num_targets)[:num_groups]
    return pa.table(
        {
            "group_id": pa.array([group_id for group_id in group_ids for _ in rates], pa.binary()),
            "learning_rate": np.tile(np.asarray(rates, np.float64), num_groups),
            "num_targets": of_rates(counts).astype(np.int64),
            "loss_before": of_rates(np.asarray(before.mean_loss, np.float64)),
            "loss_after": np.asarray(after.mean_loss, np.float64)[:num_groups].ravel(),
            "accuracy_before": of_rates(np.asarray(before.accuracy, np.float64)),
            "accuracy_after": np.asarray(after.accuracy, np.float64)[:num_groups].ravel(),
        }
    )


def _are_selection(table: pa.Table, seed: int) -> np.ndarray:
    """For each row, whether its group is of the half that chooses the rate; of a single rate none is."""
    group_ids = table["group_id"].to_pylist()
    key = seed.to_bytes(8, "little", signed=True)
    ranked = sorted(set(group_ids), key=lambda group_id: hashlib.blake2b(group_id, key=key).digest())
    num_rates = len(set(table["learning_rate"].to_pylist()))
    chosen = set(ranked[: len(ranked) // 2] if num_rates > 1 else ())
    return np.array([group_id in chosen for group_id in group_ids], bool)
