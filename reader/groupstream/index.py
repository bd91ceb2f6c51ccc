"""The group table in a form for look-ups and shuffles: arrays, of which a large split has a memory-mapped copy.

A look-up is a hash, a binary search and a comparison; a shuffled order reads rows from anywhere. Parquet can do neither
quickly, so the columns are kept as plain arrays: in memory for a small split, else as files in the cache, which
processes share and the system may drop from memory at any time. Such a copy takes 72 bytes a group and its id.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from groupstream.binary import byte_lengths, byte_offsets, data_of
from groupstream.cache import cache_folder
from groupstream.cached_folder import make_cached_folder
from groupstream.group_order import HASH_BYTES, hash_group_ids, hash_words
from groupstream.group_rows import NUMBERS, GroupRows, numbers_of
from groupstream.index_file import IndexFile
from groupstream.pulling.part_file import reserve

IN_MEMORY_GROUPS = 1 << 16  # about 6 MB; a larger split gets a copy in the cache
_DTYPES = {"hash_high": np.uint64, "hash_low": np.uint64, "id_end": np.int64, **dict.fromkeys(NUMBERS, np.int64)}
_IDS = "ids.bin"


class GroupIndex:
    """All rows of a group table by their number in stored order."""

    def __init__(self, columns: dict[str, np.ndarray], ids: np.ndarray, seed: int) -> None:
        self._columns = {name: np.asarray(column) for name, column in columns.items()}  # a memmap is slow to index
        self._ids = ids.data
        self._seed = seed

    def __len__(self) -> int:
        return len(self._columns["hash_high"])

    def column(self, name: str) -> np.ndarray:
        """int64[num_groups]: one of `group_rows.NUMBERS`, in stored order. No copy."""
        return self._columns[name]

    def find(self, group_ids: Sequence[bytes]) -> np.ndarray:
        """int64[len(group_ids)]: the row of each id, -1 where there is no such group. No I/O but the index."""
        high, low = hash_words(hash_group_ids(group_ids, self._seed))
        highs, lows = self._columns["hash_high"], self._columns["hash_low"]
        rows = np.searchsorted(highs, high)
        for i, row in enumerate(rows.tolist()):
            while row < len(highs) and highs[row] == high[i] and lows[row] < low[i]:
                row += 1
            rows[i] = row if row < len(highs) and self._ids_of(np.array([row])) == [group_ids[i]] else -1
        return rows

    def rows(self, numbers: np.ndarray, positions: np.ndarray | None = None) -> GroupRows:
        """The rows with these numbers, in their order; they stand at `positions`, by default their numbers."""
        found = (self._columns[name][numbers] for name in NUMBERS)
        return GroupRows(numbers if positions is None else positions, self._ids_of(numbers), *found)

    def _ids_of(self, rows: np.ndarray) -> list[bytes]:
        ends = self._columns["id_end"]
        starts = np.where(rows > 0, ends[np.maximum(rows, 1) - 1], 0)  # rows may be unsigned
        return [bytes(self._ids[a:b]) for a, b in zip(starts.tolist(), ends[rows].tolist(), strict=True)]


def open_index(file: IndexFile, seed: int) -> GroupIndex:
    """The index of a split. The first time a large one is opened, its copy is made: about 1 s a million groups.

    Where no copy can be written, all of it is held in memory.
    """
    if file.num_rows <= IN_MEMORY_GROUPS:
        return _in_memory(file, seed)
    folder = cache_folder() / "indexes" / file.sha256
    try:
        make_cached_folder(folder, lambda aside: _write_columns(file, aside))
    except OSError:  # no room there, or no right to write
        return _in_memory(file, seed)
    columns = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in _DTYPES}
    size = (folder / _IDS).stat().st_size
    ids = np.memmap(folder / _IDS, np.uint8, "r") if size else np.zeros(0, np.uint8)
    return GroupIndex(columns, ids, seed)


def _in_memory(file: IndexFile, seed: int) -> GroupIndex:
    columns = {name: np.empty(file.num_rows, dtype) for name, dtype in _DTYPES.items()}
    parts = [data_of(ids) for ids in _fill(columns, file)]
    return GroupIndex(columns, np.frombuffer(b"".join(parts), np.uint8), seed)


def _fill(columns: dict[str, Any], file: IndexFile) -> Iterator[pa.LargeBinaryArray]:
    """Fills the columns; gives the ids, a row group at a time."""
    row = id_end = 0
    for batch in file.batches(["group_id", "group_hash", *NUMBERS]):
        rows = slice(row, row + len(batch))
        hashes = batch.column("group_hash")
        raw = np.frombuffer(hashes.buffers()[1], np.uint8).reshape(-1, HASH_BYTES)
        columns["hash_high"][rows], columns["hash_low"][rows] = hash_words(raw[hashes.offset :][: len(batch)])
        for name in NUMBERS:
            columns[name][rows] = numbers_of(batch.column(name))
        ids = batch.column("group_id").cast(pa.large_binary())
        columns["id_end"][rows] = id_end + byte_offsets(ids)[1:] - byte_offsets(ids)[0]
        row, id_end = row + len(batch), id_end + int(byte_lengths(ids).sum())
        yield ids


def _write_columns(file: IndexFile, folder: Path) -> None:
    columns = {name: _new_column(folder / f"{name}.npy", dtype, file.num_rows) for name, dtype in _DTYPES.items()}
    with open(folder / _IDS, "wb") as ids_file:
        for ids in _fill(columns, file):
            ids_file.write(data_of(ids))
    for column in columns.values():
        column.flush()


def _new_column(path: Path, dtype: Any, length: int) -> np.memmap:
    """An array that is mapped to a file. Room is taken at once: who writes to a mapping dies where the disk is full."""
    column: np.memmap = np.lib.format.open_memmap(path, "w+", dtype, (length,))
    with open(path, "r+b") as file:
        reserve(file.fileno(), path.stat().st_size)
    return column
