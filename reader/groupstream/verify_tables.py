"""Group tables and label tables a part at a time, with the columns that they should have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from groupstream.dataset import Split
from groupstream.errors import CorruptError
from groupstream.group_table import LABEL_SCHEMA, SCHEMA
from groupstream.index_file import IndexFile


def group_batches(split: Split, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Some columns of its group table, a row group at a time.

    Raises:
        CorruptError: it is missing, not as the manifest says, or no group table.
    """
    where = f"{split.location}/{split.info.group_table.path}"
    with _Explained(where):
        yield from _checked(split.index_file, columns, SCHEMA, where)


def label_batches(split: Split) -> Iterator[pa.RecordBatch]:
    """Its label table, the same way; nothing where it has none.

    Raises:
        CorruptError: it is missing, not as the manifest says, or no label table.
    """
    where = f"{split.location}, the label table of split {split.name}"
    with _Explained(where):
        if split.label_file is not None:
            yield from _checked(split.label_file, LABEL_SCHEMA.names, LABEL_SCHEMA, where)


class _Explained:
    """What Arrow says of a table that it cannot read, is an error of the version. One of the disk stays what it is."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        of_arrow = isinstance(error, pa.ArrowException | ValueError)
        if of_arrow or (isinstance(error, OSError) and error.errno is None):
            raise CorruptError(f"{self._where} is no table that can be read: {error}. Build it again") from error


def _checked(file: IndexFile, columns: Sequence[str], schema: pa.Schema, where: str) -> Iterator[pa.RecordBatch]:
    for batch in file.batches(list(columns)):
        for name in columns:
            found = batch.schema.field(name).type if name in batch.schema.names else None
            if found != (expected := schema.field(name).type) or batch.column(name).null_count:
                raise CorruptError(f"{where} has no column {name} of type {expected} without nulls. Build it again")
        yield batch
