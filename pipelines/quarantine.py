"""The quarantine: every example that broke a check, with its reason and where it stands in the source.

Whoever checks a batch writes what it rejects as one object, whose name follows from where the batch begins; so work
that is done again replaces it. After the pipeline they are joined, in the order of the source.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from groupstream import CorruptError, layout
from groupstream.binary import integers
from groupstream.examples.encoding import encode_examples
from groupstream.features import Features
from pipelines.batches import Batch, check_examples
from pipelines.staging import StagingArea
from pipelines.tally import CHECK_PREFIX, Tally
from validation import ExampleCheck

SCHEMA = pa.schema(
    [
        ("reason", pa.string()),  # the first check that it broke, as "text: min_length 1"
        ("place", pa.string()),  # for people, as "part-1.jsonl row 12"
        ("piece_index", pa.int64()),
        ("row", pa.int64()),  # position in the piece, from 0
        ("example", pa.large_binary()),  # a serialised tf.train.Example
    ]
)
_FOLDER = "quarantine"
_ROW_GROUP_BYTES = 8 << 20
_ROW_GROUP_ROWS = 1 << 14


def quarantine_examples(
    staging: StagingArea, features: Features, checks: Mapping[str, ExampleCheck], batch: Batch
) -> Batch:
    """The examples that pass. Those that break a check are counted, and written to the staging area.

    Raises:
        PublishError: it cannot be written.
    """

    def write(broken: Mapping[str, np.ndarray]) -> None:
        with staging.writing(f"{_FOLDER}/{batch.piece.index:09d}-{batch.first_row:015d}.parquet") as file:
            pq.write_table(rejected_table(features, batch, broken), file, compression="zstd")

    return check_examples(checks, batch, write)


def rejected_table(features: Features, batch: Batch, broken: Mapping[str, np.ndarray]) -> pa.Table:
    """The examples of a batch that break a check, as `SCHEMA`.

    Args:
        broken: for each reason, bool[num_examples]: which examples break it first.
    """
    masks = [broken[reason] for reason in sorted(broken)]
    positions = np.flatnonzero(np.any(masks, axis=0))
    reasons = pa.array([_plain(reason) for reason in sorted(broken)], pa.string())
    columns = {
        "reason": reasons.take(integers(np.argmax([mask[positions] for mask in masks], axis=0))),
        "place": [_plain(batch.place(int(row))) for row in batch.rows[positions]],
        "piece_index": np.full(len(positions), batch.piece.index),
        "row": batch.rows[positions],
        "example": _records(features, batch, integers(positions)),
    }
    return pa.table(columns, schema=SCHEMA)


def join_quarantine(staging: StagingArea, tally: Tally) -> Path | None:
    """All rejected examples in one file of this machine, in the order of the source; None where there are none.

    Holds those of one batch at a time.

    Args:
        tally: of the build, which says how many there are.

    Raises:
        CorruptError: there are more or fewer.
    """
    expected = sum(count for reason, count in tally.dropped.items() if reason.startswith(CHECK_PREFIX))
    if not expected:
        return None
    target, found = staging.scratch / layout.QUARANTINE, 0
    with pq.ParquetWriter(target, SCHEMA, compression="zstd") as writer:
        for table in _row_groups(_parts(staging)):
            found += len(table)
            writer.write_table(table)
    if found != expected:
        raise CorruptError(
            f"{expected:,} examples broke a check, and {found:,} are in quarantine: some were lost on the way, so "
            "nothing is published. Run the build again, and report it if it stays"
        )
    staging.remove(_FOLDER)
    return target


def _records(features: Features, batch: Batch, positions: pa.Array) -> pa.LargeBinaryArray:
    """The examples as they would have been stored: also those that lack a feature which they should have."""
    if batch.records is not None:
        return batch.records.take(positions)
    columns = batch.columns.take(positions)
    storable = [_without_nulls_inside(column) for column in columns.columns]
    return encode_examples(pa.record_batch(storable, columns.schema.names), features)


def _without_nulls_inside(column: pa.Array) -> pa.Array:
    """Lists with a null in them are left out: no tf.train.Example can hold them."""
    inner, parents = column, pa.array(np.arange(len(column)))
    while pa.types.is_nested(inner.type):
        parents = parents.take(pc.list_parent_indices(inner))
        inner = inner.flatten()
        if inner.null_count:
            broken = pc.is_in(pa.array(np.arange(len(column))), parents.filter(inner.is_null()))
            column = pc.if_else(broken, pa.scalar(None, column.type), column)
            return _without_nulls_inside(column)
    return column


def _parts(staging: StagingArea) -> Iterator[pa.Table]:
    """What was written of each batch, in the order of the source."""
    for path in sorted(found.path for found in staging.store.objects(_FOLDER)):
        local = staging.local_path(path)
        yield pq.read_table(pa.OSFile(str(local)) if local else pa.BufferReader(staging.read(path)), schema=SCHEMA)


def _row_groups(parts: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Small tables joined: what is written together is read together."""
    waiting: list[pa.Table] = []
    num_bytes = num_rows = 0
    for part in parts:
        waiting.append(part)
        num_bytes, num_rows = num_bytes + part.nbytes, num_rows + len(part)
        if num_bytes >= _ROW_GROUP_BYTES or num_rows >= _ROW_GROUP_ROWS:
            yield pa.concat_tables(waiting).combine_chunks()
            waiting, num_bytes, num_rows = [], 0, 0
    if waiting:
        yield pa.concat_tables(waiting).combine_chunks()


def _plain(text: str) -> str:
    """Text that Arrow takes: what is no UTF-8, as a file name may be, is escaped."""
    return text.encode(errors="backslashreplace").decode()
