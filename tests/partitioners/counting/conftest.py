"""Two passes over batches, as the pipeline makes them."""

from __future__ import annotations

import pickle
import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from partitioners import CountingPartitioner, ExampleIds, Rule

Batches = list[tuple[pa.RecordBatch, ExampleIds]]


class Passes:
    """Cuts columns into batches, counts them in any order, and assigns."""

    @staticmethod
    def cut(columns: Mapping[str, Any], batch_examples: int | Sequence[int] = 4096, num_pieces: int = 1) -> Batches:
        """Batches of equal or of given sizes (again and again), of pieces that are as long as each other, or nearly."""
        whole = pa.record_batch(dict(columns))
        sizes = [batch_examples] if isinstance(batch_examples, int) else batch_examples
        batches: Batches = []
        for piece, rows in enumerate(np.array_split(np.arange(len(whole)), num_pieces)):
            start, turn = 0, 0
            while start < len(rows):
                size = min(sizes[turn % len(sizes)], len(rows) - start)
                part = whole.slice(int(rows[0]) + start, size)
                batches.append((part, ExampleIds(piece, np.arange(start, start + size), start)))
                start, turn = start + size, turn + 1
        return batches

    @staticmethod
    def count(partitioner: CountingPartitioner, batches: Batches, shuffled: random.Random | None = None) -> Any:
        """The counts of all batches. `shuffled`: merged in random order and nesting, some batches counted twice."""
        counts = [pickle.loads(pickle.dumps(partitioner.count(*batch))) for batch in batches]
        if shuffled is None:
            return partitioner.merge(counts)
        again = [count for count in counts if shuffled.random() < 0.3]
        while len(counts) > 1:
            shuffled.shuffle(counts)
            some = shuffled.randint(1, len(counts))
            counts = [*counts[some:], partitioner.merge(iter(counts[:some]))]
        return partitioner.merge([*again, *counts])

    @classmethod
    def rule(cls, partitioner: CountingPartitioner, batches: Batches, shuffled: random.Random | None = None) -> Rule:
        """What follows from the counts, as a worker gets it."""
        fitted = partitioner.fit(cls.count(partitioner, batches, shuffled))
        return pickle.loads(pickle.dumps(fitted))  # type: ignore[no-any-return]

    @classmethod
    def groups(cls, partitioner: CountingPartitioner, batches: Batches, shuffled: random.Random | None = None) -> list:
        """The group of each example, in the order of the batches."""
        rule = cls.rule(partitioner, batches, shuffled)
        return [group for batch in batches for group in rule.assign(*batch).to_pylist()]


@pytest.fixture(scope="session")
def passes() -> type[Passes]:
    return Passes
