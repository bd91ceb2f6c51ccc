"""A trial: a sample is partitioned as a build would do it, in one process and without Beam, and timed."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from groupstream import SpecError
from partitioners import CountingPartitioner, ExampleIds, Partitioner, Rule
from pipelines.batches import Batch, assign_groups, assign_splits, check_examples
from pipelines.counting import count_batches, rule_of
from pipelines.merge import merge_shard
from pipelines.plan import Plan
from pipelines.run_file import Run
from pipelines.runs import RunWriter, Shape
from pipelines.sample import Sampler
from pipelines.staging import StagingArea, staging_area
from pipelines.tally import Tally, total

SAMPLE_BYTES = 64 << 20  # of columns and records; a sample ends there
_PAYLOAD_BYTES = 2 * SAMPLE_BYTES
_STAND_IN_GROUPS = 100


@dataclass
class Trial:
    """What came of a sample.

    Attributes:
        seconds: that each step took: read, check, count, fit, assign, spill, merge. All but fit grow with the examples.
        tally: examples read, and dropped by reason.
        split_bytes: size of the shards, by split.
        num_groups: in the sample, those of each split counted for itself.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    split_bytes: dict[str, int] = field(default_factory=dict)
    num_groups: int = 0

    @property
    def scaling_seconds(self) -> float:
        """Of the steps that take longer the more examples there are."""
        return sum(self.seconds.values()) - self.seconds.get("fit", 0.0)

    @property
    def output_bytes(self) -> int:
        """Size of all shards."""
        return sum(self.split_bytes.values())

    @contextmanager
    def timing(self, step: str) -> Iterator[None]:
        """Counts the time of the block for a step."""
        started = time.perf_counter()
        yield
        self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - started


def try_out(plan: Plan, sampler: Sampler) -> Trial:
    """Reads a sample of at most 64 MiB, partitions it in a temporary folder, and forgets the result.

    Raises:
        SourceError, ExampleError: the source cannot be read.
    """
    trial = Trial()
    batches = _checked(plan, sampler, trial)
    rule = _rule(plan, batches, trial)
    _load(rule, batches)
    with trial.timing("assign"):
        batches = [
            assign_splits(plan.spec.splits, assign_groups(plan.spec.partitioner, rule, batch)) for batch in batches
        ]
    trial.tally = total(batch.tally for batch in batches)
    with tempfile.TemporaryDirectory(prefix="groupstream-") as folder, staging_area(folder) as staging:
        with trial.timing("spill"):
            runs = _spill(plan, staging, batches)
        with trial.timing("merge"):
            for split in plan.split_names:
                shard = merge_shard(staging, runs, split, 0, 1, plan.budget)
                trial.split_bytes[split] = shard.size_bytes
                trial.num_groups += shard.num_groups
    return trial


def _checked(plan: Plan, sampler: Sampler, trial: Trial) -> list[Batch]:
    found: list[Batch] = []
    num_bytes = 0
    for batch in sampler:
        if not found:
            check_examples(plan.spec.checks.examples, batch)  # so that what it imports is not timed
        with trial.timing("check"):
            found.append(check_examples(plan.spec.checks.examples, batch))
        num_bytes += batch.columns.nbytes + (0 if batch.records is None else batch.records.nbytes)
        if num_bytes >= SAMPLE_BYTES:
            break
    trial.seconds["read"] = sampler.seconds
    return found


def _rule(plan: Plan, batches: Sequence[Batch], trial: Trial) -> Rule:
    partitioner = plan.spec.partitioner
    if not isinstance(partitioner, CountingPartitioner):
        return rule_of(partitioner)
    with trial.timing("count"):
        counts = count_batches(partitioner, batches)
    with trial.timing("fit"):
        try:
            return partitioner.fit(counts)
        except SpecError:  # as it may with a sample, which has less than the spec asks for
            return _StandIn()


def _load(rule: Rule, batches: Sequence[Batch]) -> None:
    """Lets a rule load what it needs, such as the list of public suffixes, which takes as long for many examples."""
    for batch in batches[:1]:
        size = 1 if isinstance(rule, Partitioner) else len(batch.rows)  # what was counted must come as it was counted
        rule.assign(batch.columns.slice(0, size), batch.ids._replace(rows=batch.rows[:size]))


class _StandIn:
    """A rule that costs about nothing: groups by the position of an example."""

    def assign(self, batch: pa.RecordBatch, ids: ExampleIds) -> pa.Array:
        """See `Rule.assign`."""
        names = pa.array([b"%d" % number for number in range(_STAND_IN_GROUPS)])
        return names.take(pa.array(ids.rows.astype(np.int64) % _STAND_IN_GROUPS))


def _spill(plan: Plan, staging: StagingArea, batches: Sequence[Batch]) -> list[Run]:
    shape = Shape(plan.features, plan.text_features, plan.split_names, plan.label_feature, plan.spec.seed)
    writer = RunWriter(staging, shape, min(plan.budget.payload_bytes, _PAYLOAD_BYTES))
    runs = [run for batch in batches for run in writer.add(batch)]
    return [*runs, *writer.flush()]
