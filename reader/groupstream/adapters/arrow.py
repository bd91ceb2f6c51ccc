"""Examples as Arrow record batches with the group id in their first column."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from groupstream.batches import ExampleBatches
from groupstream.binary import repeated
from groupstream.features import GROUP_ID, Features, arrow_schema

if TYPE_CHECKING:
    from groupstream.stream import GroupStream


class ArrowForm:
    """Record batches: the columns of `arrow_schema`, after one of group ids, which is binary as they are stored."""

    def __init__(self, features: Features) -> None:
        self.schema = arrow_schema(features).insert(0, pa.field(GROUP_ID, pa.binary(), nullable=False))

    def block(self, examples: pa.RecordBatch, group_ids: list[bytes], counts: np.ndarray) -> pa.RecordBatch:
        """The examples with a column of their group ids."""
        ids = repeated(group_ids, counts).cast(pa.binary())
        return pa.RecordBatch.from_arrays([ids, *examples.columns], schema=self.schema)

    def cut(self, block: pa.RecordBatch, start: int, stop: int) -> pa.RecordBatch:
        """A slice. No copy."""
        return block.slice(start, stop - start)

    def join(self, parts: list[pa.RecordBatch]) -> pa.RecordBatch:
        """One part as it is, several copied together."""
        return parts[0] if len(parts) == 1 else pa.concat_batches(parts)


def arrow_batches(stream: GroupStream, batch_size: int | None = None, *, drop_last: bool = False) -> ExampleBatches:
    """See `GroupStream.batches`."""
    return ExampleBatches(stream, ArrowForm(stream.decoded_features), batch_size, drop_last=drop_last)


def to_arrow(stream: GroupStream, batch_size: int | None = None) -> pa.RecordBatchReader:
    """See `GroupStream.to_arrow`."""
    return pa.RecordBatchReader.from_batches(
        ArrowForm(stream.decoded_features).schema, arrow_batches(stream, batch_size)
    )
