"""What the machine that started a build does with the tables that its workers left: one out of all, and its summary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from groupstream.commit import describe_file
from groupstream.group_table import ROW_GROUP_ROWS, statistics_of
from groupstream.manifest import Shard, SplitInfo

SIZES = ("num_examples", "num_bytes", "num_words")


def joined_parts(parts: Path) -> Iterator[pa.Table]:
    """The rows of all shards, to be written by `write_group_table`."""
    for path in sorted(parts.glob("*.groups.parquet")):
        yield from rows_of(path)


def rows_of(table: Path) -> Iterator[pa.Table]:
    """The rows of a table, some at a time."""
    for batch in pq.ParquetFile(table, pre_buffer=False).iter_batches(ROW_GROUP_ROWS):
        yield pa.Table.from_batches([batch])


def describe_split(table: Path, shards: Iterable[Shard]) -> SplitInfo:
    """What a manifest says of a split."""
    return SplitInfo(
        shards=tuple(shards),
        group_table=describe_file(table.name, table),
        statistics=statistics_of(pq.read_table(table, columns=list(SIZES))),
    )
