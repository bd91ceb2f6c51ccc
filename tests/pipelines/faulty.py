"""Parts of a build that fail at a chosen moment. A module that workers can import."""

from __future__ import annotations

import dataclasses
import errno
import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from groupstream.features import Features
from partitioners import AnyPartitioner, CountingPartitioner, ExampleIds, Rule, RulePartitioner
from partitioners.splits import Splits
from pipelines.plan import Plan
from pipelines.staging import StagingArea
from sources import AnySource, Piece, Source, SourceBatch

PASSED: Counter[str] = Counter()  # in this process, by place; a fault itself is pickled, and so has many copies


@dataclass(frozen=True)
class Fault:
    """Fails when `where` is passed for the `at`-th time in a process.

    Attributes:
        where: source, count, assign, split, or the beginning of the path of an object of the staging area.
        how: "raise", "full disk" or "kill".
    """

    where: str
    at: int
    how: str

    def passing(self, where: str) -> None:
        """Says that a place is passed."""
        if not where.startswith(self.where):
            return
        PASSED[self.where] += 1
        if PASSED[self.where] != self.at:
            return
        if self.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.how == "full disk":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise RuntimeError("injected")


class FaultySource(Source):
    """A source whose reading may fail before any batch."""

    kind: str = "faulty"
    inner: AnySource
    fault: Any

    def available_features(self) -> Features:
        return self.inner.available_features()

    def pieces(self) -> list[Piece]:
        return self.inner.pieces()

    def identity(self) -> dict[str, Any]:
        return self.inner.identity()

    def read(self, piece: Piece, features: Features, needed: frozenset[str]) -> Iterator[SourceBatch]:
        for batch in self.inner.read(piece, features, needed):
            self.fault.passing("source")
            yield batch


class FaultyRulePartitioner(RulePartitioner):
    """A partitioner whose rule may fail."""

    kind: str = "faulty"
    inner: AnyPartitioner
    fault: Any

    @property
    def in_words(self) -> str:
        return self.inner.in_words

    @property
    def reads(self) -> frozenset[str]:
        return self.inner.reads

    def assign(self, batch: pa.RecordBatch, ids: ExampleIds) -> pa.Array:
        self.fault.passing("assign")
        return self.inner.assign(batch, ids)


class FaultyCountingPartitioner(CountingPartitioner):
    """A partitioner whose counting may fail."""

    kind: str = "faulty"
    inner: AnyPartitioner
    fault: Any

    @property
    def in_words(self) -> str:
        return self.inner.in_words

    @property
    def reads(self) -> frozenset[str]:
        return self.inner.reads

    def count(self, batch: pa.RecordBatch, ids: ExampleIds) -> Any:
        self.fault.passing("count")
        return self.inner.count(batch, ids)

    def merge(self, counts: Any) -> Any:
        return self.inner.merge(counts)

    def fit(self, counts: Any) -> Rule:
        return self.inner.fit(counts)


class FaultySplits(Splits):
    """Splits that may fail."""

    inner: Any
    fault: Any

    @property
    def in_words(self) -> str:
        return self.inner.in_words

    @property
    def names(self) -> tuple[str, ...]:
        return self.inner.names

    def assign(self, group_ids: pa.Array, ids: ExampleIds) -> np.ndarray:
        self.fault.passing("split")
        return self.inner.assign(group_ids, ids)


@dataclass(frozen=True)
class FaultyStaging(StagingArea):
    """A staging area where writing may fail once half of it is written, and reading at any time."""

    fault: Fault

    @contextmanager
    def writing(self, path: str) -> Iterator[Path]:
        with super().writing(path) as file:
            yield file
            half = file.read_bytes()[: file.stat().st_size // 2]
            whole = file.read_bytes()
            file.write_bytes(half)
            self.fault.passing(f"write {path}")
            file.write_bytes(whole)

    def read_into(self, path: str, offset: int, buffer: np.ndarray) -> None:
        self.fault.passing(f"read {path}")
        super().read_into(path, offset, buffer)


def with_fault(plan: Plan, fault: Fault) -> Plan:
    """The same plan, with parts that fail."""
    spec = plan.spec
    is_counting = isinstance(spec.partitioner, CountingPartitioner)
    partitioner = (FaultyCountingPartitioner if is_counting else FaultyRulePartitioner).model_construct(
        inner=spec.partitioner, fault=fault, missing="fail", missing_group="x"
    )
    changes = {
        "source": FaultySource.model_construct(inner=spec.source, fault=fault),
        "partitioner": partitioner,
        "splits": FaultySplits.model_construct(inner=spec.splits, fault=fault),
    }
    return dataclasses.replace(plan, spec=spec.model_copy(update=changes))
