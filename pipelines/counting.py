"""The rule that gives examples their groups, and what a partitioner must count of them first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from partitioners import CountingPartitioner, Partitioner, Rule, RulePartitioner
from pipelines.batches import Batch


def count_batch(partitioner: CountingPartitioner, batch: Batch) -> Any:
    """What the partitioner must know of a batch, which was checked and has no groups yet."""
    return partitioner.count(batch.columns, batch.ids)


def count_batches(partitioner: CountingPartitioner, batches: Iterable[Batch]) -> Any:
    """The same of several batches."""
    return partitioner.merge(count_batch(partitioner, batch) for batch in batches)


def rule_of(partitioner: Partitioner, counts: Any = None) -> Rule:
    """The rule of a partitioner; `counts` are of all examples, where it needs them."""
    if isinstance(partitioner, CountingPartitioner):
        return partitioner.fit(counts)
    if isinstance(partitioner, RulePartitioner):
        return partitioner
    raise TypeError(f"{type(partitioner).__name__} is neither a RulePartitioner nor a CountingPartitioner")
