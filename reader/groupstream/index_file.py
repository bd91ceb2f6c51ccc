"""The group table or label table of a split as a file of this machine, checked before anything in it is believed."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import google_crc32c
import pyarrow as pa
import pyarrow.parquet as pq

from groupstream.cache import cache_folder
from groupstream.disk import ANOTHER_CACHE, explaining_errors
from groupstream.errors import CorruptError
from groupstream.group_rows import GroupRows, rows_of_batch
from groupstream.manifest import StoredFile
from groupstream.stored import local_path, missing_file, read_stored
from groupstream.stores import LocalStore, Store

_BLOCK_BYTES = 8 << 20


class IndexFile:
    """One such table. It is read a row group at a time and never held; a remote one is fetched to the cache first.

    Threads may read it at the same time.

    Args:
        store: where the version lies.
        path: of the table, in the store.
        file: what the manifest says of it.

    Raises:
        CorruptError: it is missing, or not what was written.
        PublishError: it lies elsewhere, and the cache cannot be written.
    """

    def __init__(self, store: Store, path: str, file: StoredFile) -> None:
        self.sha256 = file.sha256
        local = local_path(store, path)
        source = _fetched(store, path, file) if local is None else _checked(local, file)
        self._file = pq.ParquetFile(pa.OSFile(str(source)), pre_buffer=False)  # whose buffer threads would share

    @property
    def num_rows(self) -> int:
        """How many groups."""
        return int(self._file.metadata.num_rows)

    def read(self, columns: list[str] | None = None) -> pa.Table:
        """All of it, or some columns."""
        return self._file.read(columns)

    def batches(self, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        """All of it, a row group at a time."""
        for number in range(self._file.num_row_groups):
            yield self._row_group(number, columns)

    def rows(self, start: int, stop: int) -> Iterator[GroupRows]:
        """The rows from `start` to `stop`, in stored order. Row groups before `start` are not read."""
        first = 0
        for number in range(self._file.num_row_groups):
            length = self._file.metadata.row_group(number).num_rows
            begin, end = max(start - first, 0), min(stop - first, length)
            if begin < end:
                batch = self._row_group(number).slice(begin, end - begin)
                yield rows_of_batch(batch, first + begin)
            first += length

    def _row_group(self, number: int, columns: list[str] | None = None) -> pa.RecordBatch:
        [batch] = self._file.read_row_group(number, columns).combine_chunks().to_batches()
        return batch


def _checked(path: Path, file: StoredFile) -> Path:
    try:
        with open(path, "rb") as opened:
            crc = google_crc32c.Checksum()
            while block := opened.read(_BLOCK_BYTES):
                crc.update(block)
    except FileNotFoundError as error:
        raise missing_file(LocalStore(path.parent), path.name) from error
    if (found := crc.digest().hex()) != file.crc32c:
        raise CorruptError(f"{path} has crc32c {found}, its manifest says {file.crc32c}. Pull the version again")
    return path


def _fetched(store: Store, path: str, file: StoredFile) -> Path:
    """The copy in the cache, which is named by its content and so never stale; a damaged one is fetched again."""
    target = cache_folder() / "indexes" / f"{file.sha256}.parquet"
    with contextlib.suppress(CorruptError, OSError):
        return _checked(target, file)
    with explaining_errors(target.parent, ANOTHER_CACHE):
        _fetch(store, path, file, target)
    return target


def _fetch(store: Store, path: str, file: StoredFile, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{uuid.uuid4().hex}")
    try:
        with open(temporary, "wb") as opened:
            for offset in range(0, file.size_bytes, _BLOCK_BYTES):
                opened.write(read_stored(store, path, offset, _BLOCK_BYTES))
        try:
            _checked(temporary, file)
        except CorruptError as error:
            raise CorruptError(str(error).replace(str(temporary), f"{store.root}/{path}")) from None
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
