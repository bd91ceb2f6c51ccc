"""Merge: the runs' parts of one shard, copied into its final order.

In a run the bytes of any range of hashes are contiguous. So a shard is copied in chunks of a bounded size: each
chunk is one range of every run, read once, put in order and written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

import google_crc32c
import numpy as np
import pyarrow as pa

from pipelines.group_parts import GroupPartWriter
from pipelines.memory import MemoryBudget
from pipelines.regroup_filter import RegroupedRange, SegmentFilter, bounds_of
from pipelines.run_file import Run
from pipelines.run_reader import RunReader, chunks
from pipelines.segments import segments_of_shard
from pipelines.staging import StagingArea

_SHARD_BYTES = 256 << 20
_LARGEST_SHARD_BYTES = 2 << 30
_MANY_SHARDS = 1024
_LOCAL_CHUNK_BYTES = (
    16 << 20
)  # on a disk a read costs little; larger chunks take memory anew each time, which costs more


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
    return num_shards_of(sum(run.size_bytes for run in runs), shard_bytes)


def num_shards_of(size_bytes: int, shard_bytes: int | None) -> int:
    """How many shards so many bytes make. See `num_shards_for`."""
    wanted = shard_bytes or min(max(_SHARD_BYTES, size_bytes // _MANY_SHARDS), _LARGEST_SHARD_BYTES)
    return max(1, round(size_bytes / wanted))


def merge_shard(
    staging: StagingArea,
    runs: Sequence[Run],
    split: str,
    shard_index: int,
    num_shards: int,
    budget: MemoryBudget,
    regrouped: Sequence[RegroupedRange] = (),
) -> MergedShard:
    """Writes one shard and its parts of the tables.

    Args:
        staging: where the runs are, and where the shard goes.
        runs: all runs of the spill; those of the split are taken.
        budget: how much is held in memory at once.
        regrouped: what was done to groups that are too small or too large.

    Raises:
        ExampleError: a group of the source has the id that regrouping gave to another.
    """
    spilled, made = (
        [run for run in some if run.split == split and run.path is not None]
        for some in (runs, [run for one in regrouped for run in one.runs])
    )
    runs = [*spilled, *made]
    chunk_bytes = chunk_bytes_of(staging, budget)
    name = shard_name(split, shard_index)
    paths = f"{name}.tfrecord", f"{name}.groups.parquet", f"{name}.labels.parquet"
    filtering = SegmentFilter(staging, regrouped, len(spilled), *bounds_of(shard_index, num_shards))
    with (
        staging.writing(paths[0]) as shard_file,
        staging.writing(paths[1]) as group_file,
        staging.writing(paths[2]) as label_file,
        open(shard_file, "wb") as opened,
        GroupPartWriter(group_file, label_file, shard_index) as groups,
        RunReader(staging, runs) as reader,
    ):
        writer = _ChecksumWriter(opened)
        for segments in segments_of_shard(staging, runs, shard_index, num_shards, budget.segments, reader.map_reads):
            counted = filtering.counted(segments) if regrouped else np.ones(len(segments), bool)
            if counted.any():
                groups.add(segments if counted.all() else segments.filter(pa.array(counted)))
            for part in chunks(segments["length_bytes"].to_numpy(), chunk_bytes):
                for block in reader.blocks(
                    segments.slice(part.start, part.stop - part.start), counted[part], chunk_bytes
                ):
                    writer.write(block)
    return MergedShard(split, shard_index, *paths, *writer.summary(), groups.num_groups, groups.num_examples)


def chunk_bytes_of(staging: StagingArea, budget: MemoryBudget) -> int:
    """How many bytes of records to hold at once."""
    return min(budget.chunk_bytes, _LOCAL_CHUNK_BYTES) if staging.folder else budget.chunk_bytes


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
