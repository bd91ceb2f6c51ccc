"""Choosing groups by what the index says of them: filtered, ordered, the first so many."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from groupstream.group_table import SCHEMA

Order = Literal["stored", "size", "id"]

_SORT_KEYS: dict[str, list[tuple[str, str]]] = {
    "stored": [("position", "ascending")],
    "size": [("num_examples", "descending"), ("num_bytes", "descending"), ("position", "ascending")],
    "id": [("group_id", "ascending")],
}
_EMPTY = SCHEMA.append(pa.field("position", pa.int64())).empty_table()
_MIN_WAITING_ROWS = 1 << 14  # so many are gathered before the best of them are picked


@dataclass(frozen=True)
class Choice:
    """Which groups, in which order.

    Attributes:
        min_examples: the least number of examples; 0 for no bound.
        max_examples: the greatest; None for no bound.
        like: bytes that the id must contain; none for no bound.
        order: "stored", "size" (largest first) or "id" (as bytes).
        limit: at most so many; None for all, which holds all of them in memory.
    """

    min_examples: int = 0
    max_examples: int | None = None
    like: bytes = b""
    order: Order = "stored"
    limit: int | None = None

    def of(self, batches: Iterable[pa.RecordBatch]) -> pa.Table:
        """The chosen rows of a group table, with their `position` in stored order.

        Args:
            batches: all of the table, in stored order, with `group_id`, `num_examples` and `num_bytes` at least.
        """
        chosen: list[pa.RecordBatch] = []
        num_chosen, position = 0, 0
        for batch in batches:
            numbers = np.arange(position, position + len(batch))
            column = pa.Array.from_buffers(pa.int64(), len(batch), [None, pa.py_buffer(numbers)])
            numbered = batch.append_column("position", column)
            position += len(batch)
            chosen.append(numbered.filter(self._mask(batch)))
            num_chosen += len(chosen[-1])
            if self.limit is None:
                continue
            if self.order == "stored" and num_chosen >= self.limit:
                break
            if num_chosen > max(4 * self.limit, _MIN_WAITING_ROWS):
                chosen = self._best(chosen).to_batches()
                num_chosen = self.limit
        return self._best(chosen)

    def _mask(self, batch: pa.RecordBatch) -> pa.BooleanArray:
        examples = batch.column("num_examples")
        mask = pc.greater_equal(examples, self.min_examples)
        if self.max_examples is not None:
            mask = pc.and_(mask, pc.less_equal(examples, self.max_examples))
        if self.like:
            mask = pc.and_(mask, pc.match_substring(batch.column("group_id"), self.like))
        return mask

    def _best(self, batches: list[pa.RecordBatch]) -> pa.Table:
        table = pa.Table.from_batches(batches) if batches else _EMPTY
        if self.order != "stored":
            table = table.take(pc.sort_indices(table, sort_keys=_SORT_KEYS[self.order]))
        return table if self.limit is None else table.slice(0, self.limit)
