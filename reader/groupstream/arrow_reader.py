"""Groups read from the Arrow copies of their shards (`arrow_copy`): slices of files that are mapped into memory.

What is checked: the sizes of all files when a copy is opened, and the CRCs of the small ones; the CRC of a record batch
before its first use in a process, which reads its 4 MiB once (0.6 ms at 7 GB/s). So every byte that is used was
checked, and opening a copy costs the same whatever its size. `make_arrow_copy` checks all of what is there, and so does
`groupstream pull REF --arrow`.

Memory: pages of mapped files count in the resident size of a process, but belong to the system, which drops them when
memory is short; nothing else grows.
"""

from __future__ import annotations

import functools
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import pyarrow as pa

from groupstream.arrow_copy import BATCHES, EXAMPLES, FIRST_ROWS, OFFSETS
from groupstream.cached_folder import CHECKSUMS, read_checksums
from groupstream.errors import CorruptError
from groupstream.features import Feature, Features, arrow_schema
from groupstream.group_rows import GroupRows


class ArrowCopies:
    """The copies of the shards of a split.

    Args:
        folders: of the copies, by shard_index; None for a shard without groups.
        features: all features of the version.
        names: of those that are read, in their order; None for all.
    """

    def __init__(self, folders: Sequence[Path | None], features: Features, names: Sequence[str] | None = None) -> None:
        self._folders = folders
        self._features = features
        self._names = names
        self._opened: dict[int, ArrowShard] = {}

    def select(self, names: Sequence[str]) -> ArrowCopies:
        """Only these features, in this order."""
        return ArrowCopies(self._folders, self._features, names)

    def shard(self, number: int) -> ArrowShard:
        """The copy of one shard.

        Raises:
            CorruptError: it is missing, or not as it was written.
        """
        if number not in self._opened:
            folder = self._folders[number]
            if folder is None:
                raise CorruptError(f"the index places a group in shard {number}, which the manifest says is empty")
            self._opened[number] = ArrowShard(_open_file(folder, self._features), self._names)
        return self._opened[number]

    def places(self, rows: GroupRows) -> list[tuple[ArrowShard, int]]:
        """For each group, the copy that it is in and its first row there."""
        first_rows = self._first_rows(rows).tolist()
        return [(self.shard(number), row) for number, row in zip(rows.shard_index.tolist(), first_rows, strict=True)]

    def batches_of(self, rows: GroupRows, num_skipped: int = 0) -> Iterator[pa.RecordBatch]:
        """The examples of a single group from number `num_skipped` on: a slice of each record batch. No copy."""
        [(shard, row)] = self.places(rows)
        return shard.slices(row + num_skipped, int(rows.num_examples[0]) - num_skipped)

    def examples_of(self, rows: GroupRows) -> pa.RecordBatch:
        """The examples of all groups, in their order. No copy where they are neighbours within a record batch."""
        if not len(rows):
            names = self._features if self._names is None else self._names
            return pa.RecordBatch.from_pylist([], arrow_schema({name: self._features[name] for name in names}))
        first_rows, numbers = self._first_rows(rows), rows.shard_index
        ends = first_rows + rows.num_examples
        apart = np.flatnonzero((first_rows[1:] != ends[:-1]) | (numbers[1:] != numbers[:-1]))
        runs = zip(np.append(0, apart + 1).tolist(), np.append(apart, len(rows) - 1).tolist(), strict=True)
        slices = [
            piece
            for a, b in runs
            for piece in self.shard(int(numbers[a])).slices(int(first_rows[a]), int(ends[b] - first_rows[a]))
        ]
        return slices[0] if len(slices) == 1 else pa.concat_batches(slices)

    def __reduce__(self) -> tuple[Any, ...]:
        """Travels to other processes without what was opened here."""
        return ArrowCopies, (self._folders, self._features, self._names)

    def _first_rows(self, rows: GroupRows) -> np.ndarray:
        first_rows = np.empty(len(rows), np.int64)
        for number in np.unique(rows.shard_index).tolist():
            here = rows.shard_index == number
            first_rows[here] = self.shard(number).first_rows(rows.offset_bytes[here])
        return first_rows


class ArrowShard:
    """The copy of one shard, or some columns of it."""

    def __init__(self, file: ArrowFile, names: Sequence[str] | None) -> None:
        self._file = file
        self._names = names
        self._starts = file.starts
        self._batches: list[pa.RecordBatch | None] = [None] * len(file.starts)

    def first_rows(self, offset_bytes: np.ndarray) -> np.ndarray:
        """int64[num_groups]: the first row of the groups that begin at these bytes of the shard."""
        return self._file.first_rows(offset_bytes)

    def slices(self, first: int, count: int) -> Iterator[pa.RecordBatch]:
        """The rows from `first` on: a slice of each record batch that they are in."""
        starts = self._starts
        number = bisect_right(starts, first) - 1
        while count > 0:
            batch = self._batches[number] or self._batch(number)
            here = batch.slice(first - starts[number], count)
            yield here
            first, count, number = first + here.num_rows, count - here.num_rows, number + 1

    def _batch(self, number: int) -> pa.RecordBatch:
        batch = self._file.batch(number)
        self._batches[number] = batch = batch if self._names is None else batch.select(list(self._names))
        return batch


class ArrowFile:
    """The files of one copy, mapped into memory and checked; one for each process.

    Args:
        folder: of the copy.
        features: all features of the version.

    Raises:
        CorruptError: a file is missing, or not as it was written.
    """

    def __init__(self, folder: Path, features: Features) -> None:
        self._folder = folder
        self._schema = arrow_schema(features)
        try:
            files = {name: _mapped(folder / name, file) for name, file in read_checksums(folder).items()}
            self._data = files[EXAMPLES]
            batches = _array(files[BATCHES])
            self._offsets, self._first_rows = _array(files[OFFSETS]), _array(files[FIRST_ROWS])
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise CorruptError(_damaged(f"{folder} cannot be read ({error})")) from error
        self._ranges = batches[:, 1:].tolist()
        self._batches: list[pa.RecordBatch | None] = [None] * len(batches)
        self.starts: list[int] = batches[:, 0].tolist()  # of the record batches, their first rows

    def first_rows(self, offset_bytes: np.ndarray) -> np.ndarray:
        """See `ArrowShard.first_rows`."""
        found = np.searchsorted(self._offsets, offset_bytes)
        if (found >= len(self._offsets)).any() or (self._offsets[found] != offset_bytes).any():
            raise CorruptError(_damaged(f"{self._folder} lacks a group that the index has"))
        return self._first_rows[found]

    def batch(self, number: int) -> pa.RecordBatch:
        """A record batch; its CRC is checked the first time."""
        if (batch := self._batches[number]) is None:
            start, end, crc = self._ranges[number]
            data = self._data.slice(start, end - start)
            if google_crc32c.value(np.frombuffer(data, np.uint8)) != crc:
                raise CorruptError(_damaged(f"{self._folder / EXAMPLES} has a wrong CRC in bytes {start:,} to {end:,}"))
            self._batches[number] = batch = pa.ipc.read_record_batch(data, self._schema)
        return batch


def _open_file(folder: Path, features: Features) -> ArrowFile:
    try:
        about = (folder / CHECKSUMS).stat()
    except OSError as error:
        raise CorruptError(_damaged(f"{folder} is missing")) from error
    return _opened(folder, tuple(features.items()), about.st_ino, about.st_mtime_ns)


@functools.cache
def _opened(folder: Path, features: tuple[tuple[str, Feature], ...], inode: int, changed: int) -> ArrowFile:
    """Once a process, so that nothing is checked twice; a copy that was made anew is another one."""
    return ArrowFile(folder, dict(features))


def _mapped(path: Path, file: dict[str, int]) -> pa.Buffer:
    """All bytes of a file. The mapping lives as long as a slice of it does, and holds no file handle."""
    with pa.memory_map(str(path)) as source:
        data = source.read_buffer()
    if data.size != file["size_bytes"]:
        raise ValueError(f"{path.name} has {data.size:,} bytes, it was written with {file['size_bytes']:,}")
    if path.name != EXAMPLES and google_crc32c.value(np.frombuffer(data, np.uint8)) != file["crc32c"]:
        raise ValueError(f"{path.name} has a wrong CRC")
    return data


def _array(data: pa.Buffer) -> np.ndarray:
    """A .npy file as an array, without a copy."""
    source = pa.BufferReader(data)
    np.lib.format.read_magic(source)
    shape, _, dtype = np.lib.format.read_array_header_1_0(source)
    return np.frombuffer(data, dtype, offset=source.tell()).reshape(shape)


def _damaged(what: str) -> str:
    return f"{what}. Make the Arrow copy anew with: groupstream pull REF --arrow"
