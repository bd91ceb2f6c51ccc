"""Parquet files with one row per example, and the group id in a column. The examples of a group stay adjacent.

A tensor that may be missing is a flat list: Arrow cannot read a list of fixed size that is null back from Parquet.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from groupstream.binary import binary_array
from groupstream.exports.format import Format, OnBytes
from groupstream.features import GROUP_ID, arrow_schema
from groupstream.stream import GroupStream

ROW_GROUP_BYTES = 32 << 20  # of decoded examples, about; less than a group where that is larger


def write(stream: GroupStream, file: BinaryIO, on_bytes: OnBytes) -> None:
    """Writes one file."""
    schema = _schema(stream)
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        waiting: list[pa.RecordBatch] = []
        for batch, num_bytes in _batches(stream, schema):
            waiting.append(batch)
            if sum(b.nbytes for b in waiting) >= ROW_GROUP_BYTES:
                _write_row_group(writer, waiting, schema)
                waiting = []
            on_bytes(num_bytes)
        if waiting:
            _write_row_group(writer, waiting, schema)


def _schema(stream: GroupStream) -> pa.Schema:
    split = stream.split
    features = split.features if stream.features is None else split.features_named(stream.features)
    schema = arrow_schema(features).insert(0, pa.field(GROUP_ID, pa.binary(), nullable=False))
    for i, (name, feature) in enumerate(features.items(), 1):
        if feature.is_tensor and feature.optional:
            schema = schema.set(i, pa.field(name, pa.list_(feature.value_type)))
    return schema


def _batches(stream: GroupStream, schema: pa.Schema) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Examples with their group ids, and the bytes that they were stored in."""
    for chunk in stream.chunks():
        ids, total = chunk.rows.group_ids, int(chunk.rows.num_bytes.sum())
        num_examples = int(chunk.bounds[-1])
        done = 0
        for block in chunk.blocks():
            counts = np.array([len(block)]) if chunk.is_large else np.diff(chunk.bounds)
            before, done = done, done + len(block)
            share = total * done // num_examples - total * before // num_examples
            yield _with_ids(block, ids, counts, schema), share


def _with_ids(
    examples: pa.RecordBatch, group_ids: list[bytes], counts: np.ndarray, schema: pa.Schema
) -> pa.RecordBatch:
    ids = binary_array(b"".join(group_ids), np.fromiter(map(len, group_ids), np.int64, len(group_ids)))
    group_of = np.repeat(np.arange(len(group_ids)), counts)
    indices = pa.Array.from_buffers(pa.int64(), len(group_of), [None, pa.py_buffer(group_of)])
    columns = [_stored(column, field.type) for column, field in zip(examples.columns, list(schema)[1:], strict=True)]
    return pa.record_batch([ids.cast(pa.binary()).take(indices), *columns], schema=schema)


def _stored(column: pa.Array, kind: pa.DataType) -> pa.Array:
    is_flat_tensor = isinstance(column, pa.ExtensionArray) and column.type != kind
    return column.storage.cast(kind) if is_flat_tensor else column


def _write_row_group(writer: pq.ParquetWriter, batches: list[pa.RecordBatch], schema: pa.Schema) -> None:
    table = pa.Table.from_batches(batches, schema)
    writer.write_table(table, row_group_size=len(table))


PARQUET = Format("parquet", ".parquet", write)
