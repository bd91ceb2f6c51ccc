"""Merge: the runs' parts of one shard, copied into its final order.

In a run the bytes of any range of hashes are contiguous. So a shard is copied in chunks of a bounded size: each
chunk is one range of every run, read once, put in order and written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO

import google_crc32c
import numpy as np
import pyarrow as pa

from groupstream.binary import binary_array, data_of, integers
from pipelines.group_parts import GroupPartWriter
from pipelines.memory import MemoryBudget
from pipelines.run_file import Run
from pipelines.segments import MapReads, segments_of_shard
from pipelines.staging import StagingArea

_SHARD_BYTES = 256 << 20
_LARGEST_SHARD_BYTES = 2 << 30
_MANY_SHARDS = 1024
_LOCAL_CHUNK_BYTES = (
    16 << 20
)  # on a disk a read costs little; larger chunks take memory anew each time, which costs more
_CONNECTIONS = 16  # to a bucket, where what a read costs is waiting


@dataclass(frozen=True)
class MergedShard:
    """A finished shard, and its part of the group table and the label table: objects of the staging area."""

    split: str
    shard_index: int
    path: str
    group_table_path: str
    label_table_path: str
    size_bytes: int
    crc32c: str
    sha256: str
    num_groups: int
    num_examples: int


def shard_name(split: str, shard_index: int) -> str:
    """The path of a shard in the staging area, less what follows the dot."""
    return f"shards/{split}-{shard_index:05d}"


def num_shards_for(runs: Sequence[Run], shard_bytes: int | None) -> int:
    """How many shards the examples of the runs make. It depends on the examples, not on how they fell into runs.

    Args:
        runs: of one split.
        shard_bytes: about how large a shard should be; None: 256 MiB, more for a split of more than 256 GiB, 2 GiB
            at most.
    """
    size = sum(run.size_bytes for run in runs)
    wanted = shard_bytes or min(max(_SHARD_BYTES, size // _MANY_SHARDS), _LARGEST_SHARD_BYTES)
    return max(1, round(size / wanted))


def merge_shard(
    staging: StagingArea, runs: Sequence[Run], split: str, shard_index: int, num_shards: int, budget: MemoryBudget
) -> MergedShard:
    """Writes one shard and its parts of the tables.

    Args:
        staging: where the runs are, and where the shard goes.
        runs: all runs of the build; those of the split are taken.
        budget: how much is held in memory at once.
    """
    runs = [run for run in runs if run.split == split and run.path is not None]
    chunk_bytes = min(budget.chunk_bytes, _LOCAL_CHUNK_BYTES) if staging.folder else budget.chunk_bytes
    name = shard_name(split, shard_index)
    paths = f"{name}.tfrecord", f"{name}.groups.parquet", f"{name}.labels.parquet"
    with (
        staging.writing(paths[0]) as shard_file,
        staging.writing(paths[1]) as group_file,
        staging.writing(paths[2]) as label_file,
        open(shard_file, "wb") as opened,
        GroupPartWriter(group_file, label_file, shard_index) as groups,
        _Reader(staging, runs) as reader,
    ):
        writer = _ChecksumWriter(opened)
        for segments in segments_of_shard(staging, runs, shard_index, num_shards, budget.segments, reader.map_reads):
            groups.add(segments)
            for start, end in _chunks(segments["length_bytes"].to_numpy(), chunk_bytes):
                for block in reader.blocks(segments.slice(start, end - start), chunk_bytes):
                    writer.write(block)
    return MergedShard(split, shard_index, *paths, *writer.summary(), groups.num_groups, groups.num_examples)


def _chunks(lengths: np.ndarray, chunk_bytes: int) -> Iterator[tuple[int, int]]:
    """Ranges of segments of at most `chunk_bytes` together, or of one segment that is longer."""
    ends = np.cumsum(lengths)
    start = 0
    while start < len(lengths):
        before = ends[start - 1] if start else 0
        end = max(start + 1, int(np.searchsorted(ends, before + chunk_bytes, side="right")))
        yield start, end
        start = end


class _Reader:
    """Reads records of runs: one range after the other from a disk, many at once from a bucket."""

    def __init__(self, staging: StagingArea, runs: Sequence[Run]) -> None:
        self._staging = staging
        self._paths = [str(run.path) for run in runs]
        self._threads = ThreadPoolExecutor(_CONNECTIONS, "groupstream-merge")  # none is started before it is used
        self.map_reads: MapReads = map if staging.folder else self._threads.map

    def __enter__(self) -> _Reader:
        return self

    def __exit__(self, *error: object) -> None:
        self._threads.shutdown(cancel_futures=True)

    def blocks(self, segments: pa.Table, block_bytes: int) -> Iterator[pa.Buffer | np.ndarray]:
        """The bytes of consecutive segments, in order."""
        runs, offsets, lengths = (segments[name].to_numpy() for name in ("run", "offset_bytes", "length_bytes"))
        if len(segments) == 1:
            yield from self._range_blocks(int(runs[0]), int(offsets[0]), int(lengths[0]), block_bytes)
            return
        by_run = np.argsort(runs, kind="stable")
        data = self._read_ranges(runs[by_run], offsets[by_run], lengths[by_run])
        if len(segments) == np.count_nonzero(by_run == np.arange(len(by_run))):  # of one run, or in their order
            yield data
            return
        place = np.empty(len(by_run), np.int64)
        place[by_run] = np.arange(len(by_run))
        yield data_of(binary_array(data, lengths[by_run]).take(integers(place)))

    def _read_ranges(self, runs: np.ndarray, offsets: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """The bytes of segments that stand run by run; those of a run are one range."""
        ends = np.cumsum(lengths)
        data = np.empty(int(ends[-1]), np.uint8)
        first = np.flatnonzero(np.concatenate([[True], runs[1:] != runs[:-1]])).tolist()
        reads = []
        for start, stop in zip(first, [*first[1:], len(runs)], strict=True):
            buffer = data[int(ends[start] - lengths[start]) : int(ends[stop - 1])]
            reads.append((self._paths[runs[start]], int(offsets[start]), buffer))
        list(self.map_reads(lambda read: self._staging.read_into(*read), reads))
        return data

    def _range_blocks(self, run: int, offset: int, length: int, block_bytes: int) -> Iterator[np.ndarray]:
        for start in range(0, length, block_bytes):
            block = np.empty(min(block_bytes, length - start), np.uint8)
            self._staging.read_into(self._paths[run], offset + start, block)
            yield block


class _ChecksumWriter:
    """Writes to a file and keeps its size and checksums."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._crc = 0
        self._sha = hashlib.sha256()
        self._size = 0

    def write(self, block: pa.Buffer | np.ndarray) -> None:
        data = np.frombuffer(block, np.uint8)
        self._file.write(data.data)
        self._crc = google_crc32c.extend(self._crc, data)
        self._sha.update(data.data)
        self._size += len(data)

    def summary(self) -> tuple[int, str, str]:
        """Size, CRC32C and SHA-256."""
        return self._size, f"{self._crc:08x}", self._sha.hexdigest()
