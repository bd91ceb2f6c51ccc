"""The group table of a split as the commands read it: some columns, a part at a time, never whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from groupstream.dataset import Split

Advance = Callable[[int], None]  # takes how many more groups have been read


def index_batches(split: Split, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """These columns of all groups in stored order, a few thousand groups at a time."""
    return split.index_file.batches(columns)


def advancing(batches: Iterator[pa.RecordBatch], advance: Advance) -> Iterator[pa.RecordBatch]:
    """The same, counted as they are read."""
    for batch in batches:
        yield batch
        advance(len(batch))


def sorted_column(split: Split, column: str, advance: Advance) -> np.ndarray:
    """int64[num_groups]: a column of numbers in ascending order. The only array of this length that is ever made."""
    import numpy as np

    values, filled = np.empty(split.num_groups, np.int64), 0
    for batch in advancing(index_batches(split, [column]), advance):
        values[filled : filled + len(batch)] = np.from_dlpack(batch.column(column))
        filled += len(batch)
    values.sort()
    return values
