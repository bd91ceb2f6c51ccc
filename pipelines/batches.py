"""The element of the pipeline: a batch of examples of one piece, and what is known of them so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from groupstream.features import Features
from partitioners import ExampleIds, Partitioner, Rule
from partitioners.splits import Splits
from pipelines.tally import CHECK_PREFIX, MAX_OFFENDERS, NO_GROUP, Tally
from sources import Piece, Source
from validation import ExampleCheck
from validation.examples import violations


@dataclass(frozen=True)
class Batch:
    """Some examples of a piece.

    Attributes:
        piece: where they come from.
        first_row: position in the piece of the first example that the batch began with.
        rows: int64[num_examples], their positions in the piece; ascending.
        columns: their features, or those that are looked at where there are records.
        records: the serialised examples, where the source has them.
        group_ids: binary[num_examples], once they are assigned.
        splits: int64[num_examples], which split of the spec each is in, once they are assigned; None for the only one.
        tally: counts of the examples that the batch began with.
    """

    piece: Piece
    first_row: int
    rows: np.ndarray
    columns: pa.RecordBatch
    records: pa.LargeBinaryArray | None
    group_ids: Any  # a pyarrow.Array, or None
    tally: Tally
    splits: np.ndarray | None = None

    @property
    def ids(self) -> ExampleIds:
        """The names of the examples."""
        return ExampleIds(self.piece.index, self.rows, self.first_row)

    @property
    def end_row(self) -> int:
        """Position in the piece after the last example that the batch began with."""
        return self.first_row + self.tally.examples_in

    @property
    def num_bytes(self) -> int:
        """Of its columns and records in memory, about."""
        return self.columns.nbytes + (0 if self.records is None else self.records.nbytes)

    def keep(self, mask: np.ndarray, reason: str) -> Batch:
        """Without the examples where `mask` is false; they are counted under `reason`."""
        return self if mask.all() else self.drop({reason: ~mask})

    def drop(self, dropped: Mapping[str, np.ndarray]) -> Batch:
        """Without some examples, counted under the reason of each.

        Args:
            dropped: for each reason, bool[num_examples], true somewhere; no example has two.
        """
        tally = self.tally
        for reason in sorted(dropped):
            rows = self.rows[dropped[reason]]
            offenders = [(self.piece.index, int(row), self.place(int(row))) for row in rows[:MAX_OFFENDERS]]
            tally = tally.with_dropped(reason, offenders, len(rows))
        mask = ~np.any(list(dropped.values()), axis=0)
        kept = pa.array(mask)
        return replace(
            self,
            rows=self.rows[mask],
            columns=self.columns.filter(kept),
            records=None if self.records is None else self.records.filter(kept),
            group_ids=None if self.group_ids is None else self.group_ids.filter(kept),
            splits=None if self.splits is None else self.splits[mask],
            tally=tally,
        )

    def place(self, row: int) -> str:
        """A position in the piece, for people."""
        return f"{self.piece.label} row {row + 1:,}"


def read_batches(source: Source, features: Features, needed: frozenset[str], piece: Piece) -> Iterator[Batch]:
    """The examples of a piece, counted."""
    row = 0
    for columns, records in source.read(piece, features, needed):
        size = len(columns) if records is None else len(records)
        nulls = Counter({name: columns.column(name).null_count for name in columns.schema.names})
        tally = Tally(examples_in=size, nulls=+nulls)
        yield Batch(piece, row, np.arange(row, row + size), columns, records, None, tally)
        row += size


def check_examples(
    checks: Mapping[str, ExampleCheck],
    batch: Batch,
    on_rejected: Callable[[Mapping[str, np.ndarray]], None] = lambda broken: None,
) -> Batch:
    """Leaves out the examples that break a check; they are counted under the first check that each breaks.

    Args:
        on_rejected: called before any are left out, with what `violations` found.
    """
    broken = violations(checks, batch.columns)
    if not broken:
        return batch
    on_rejected(broken)
    return batch.drop({f"{CHECK_PREFIX}{reason}": mask for reason, mask in broken.items()})


def assign_groups(partitioner: Partitioner, rule: Rule, batch: Batch) -> Batch:
    """Gives each example its group. What has none is dropped and counted, or put into the group for such.

    Args:
        partitioner: of the spec; it says what to do with examples that have no group.
        rule: see `counting.rule_of`.
    """
    group_ids = rule.assign(batch.columns, batch.ids).cast(pa.binary())
    has_group = pc.greater(pc.fill_null(pc.binary_length(group_ids), 0), 0)
    if partitioner.missing == "group":
        group_ids = pc.if_else(has_group, group_ids, partitioner.missing_group.encode())
        return replace(batch, group_ids=group_ids)
    return replace(batch, group_ids=group_ids).keep(has_group.to_numpy(zero_copy_only=False), NO_GROUP)


def assign_splits(splits: Splits | None, batch: Batch) -> Batch:
    """Gives each example its split, where the spec asks for several."""
    return batch if splits is None else replace(batch, splits=splits.assign(batch.group_ids, batch.ids))
