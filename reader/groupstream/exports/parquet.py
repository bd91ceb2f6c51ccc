"""Parquet files with one row per example, and the group id in a column. The examples of a group stay adjacent.

A tensor that may be missing is a flat list: Arrow cannot read a list of fixed size that is null back from Parquet.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from groupstream.adapters.arrow import ArrowForm
from groupstream.exports.format import Format, OnBytes
from groupstream.features import Features
from groupstream.stream import GroupStream

ROW_GROUP_BYTES = 32 << 20  # of decoded examples, about; less than a group where that is larger


def write(stream: GroupStream, file: BinaryIO, on_bytes: OnBytes) -> None:
    """Writes one file."""
    form = ArrowForm(stream.decoded_features)
    schema = _parquet_schema(form.schema, stream.decoded_features)
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        waiting: list[pa.RecordBatch] = []
        for batch, num_bytes in _batches(stream, form):
            waiting.append(_with_schema(batch, schema))
            if sum(b.nbytes for b in waiting) >= ROW_GROUP_BYTES:
                _write_row_group(writer, waiting, schema)
                waiting = []
            on_bytes(num_bytes)
        if waiting:
            _write_row_group(writer, waiting, schema)


def _parquet_schema(schema: pa.Schema, features: Features) -> pa.Schema:
    for i, (name, feature) in enumerate(features.items(), 1):
        if feature.is_tensor and feature.optional:
            schema = schema.set(i, pa.field(name, pa.list_(feature.value_type)))
    return schema


def _batches(stream: GroupStream, form: ArrowForm) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Examples with their group ids, and the bytes that they were stored in."""
    for chunk in stream.chunks():
        ids, total = chunk.rows.group_ids, int(chunk.rows.num_bytes.sum())
        num_examples = int(chunk.bounds[-1])
        done = 0
        for block in chunk.blocks():
            counts = np.array([len(block)]) if chunk.is_large else np.diff(chunk.bounds)
            before, done = done, done + len(block)
            share = total * done // num_examples - total * before // num_examples
            yield form.block(block, ids, counts), share


def _with_schema(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = (_stored(column, field.type) for column, field in zip(batch.columns, schema, strict=True))
    return pa.RecordBatch.from_arrays(list(columns), schema=schema)


def _stored(column: pa.Array, kind: pa.DataType) -> pa.Array:
    is_flat_tensor = isinstance(column, pa.ExtensionArray) and column.type != kind
    return column.storage.cast(kind) if is_flat_tensor else column


def _write_row_group(writer: pq.ParquetWriter, batches: list[pa.RecordBatch], schema: pa.Schema) -> None:
    table = pa.Table.from_batches(batches, schema)
    writer.write_table(table, row_group_size=len(table))


PARQUET = Format("parquet", ".parquet", write)
