"""Merge: the runs' parts of one shard, copied into its final order.

In a run the bytes of any range of hashes are contiguous. So a shard is copied in chunks of a bounded size: each
chunk is one range of every run, read once, put in order and written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import google_crc32c
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from groupstream import CorruptError
from groupstream.binary import binary_array, data_of
from groupstream.group_order import HASH_BYTES, shard_bounds
from groupstream.group_table import SCHEMA
from pipelines.runs import INDEX_SCHEMA, Run

CHUNK_BYTES = 64 << 20


@dataclass(frozen=True)
class MergedShard:
    """A finished shard, and its part of the group table."""

    shard_index: int
    path: str
    group_table_path: str
    size_bytes: int
    crc32c: str
    sha256: str
    num_groups: int
    num_examples: int


def num_shards_for(runs: Sequence[Run], shard_bytes: int) -> int:
    """How many shards the examples of the runs make. It depends on the examples, not on how they fell into runs."""
    return max(1, round(sum(run.size_bytes for run in runs) / shard_bytes))


def merge_shard(
    folder: Path, runs: Sequence[Run], shard_index: int, num_shards: int, chunk_bytes: int = CHUNK_BYTES
) -> MergedShard:
    """Writes one shard and its part of the group table.

    Args:
        folder: where to; the names say which shard it is.
        runs: all runs of the build.
        chunk_bytes: how much is held in memory at once, but for one segment's worth of copying.
    """
    paths = [run.path for run in runs if run.path is not None]
    segments = _read_segments(paths, shard_index, num_shards)
    path = folder / f"shard-{shard_index:05d}.tfrecord"
    with open(path, "wb") as file:
        writer = _ChecksumWriter(file)
        for start, end in _chunks(segments["length_bytes"].to_numpy(), chunk_bytes):
            for block in _chunk_blocks(paths, segments.slice(start, end - start), chunk_bytes):
                writer.write(block)
    groups = _group_rows(segments, shard_index)
    table_path = folder / f"shard-{shard_index:05d}.groups.parquet"
    pq.write_table(groups, table_path)
    num_examples = int(groups["num_examples"].to_numpy().sum())
    return MergedShard(shard_index, str(path), str(table_path), *writer.summary(), len(groups), num_examples)


def _read_segments(paths: Sequence[str], shard_index: int, num_shards: int) -> pa.Table:
    """The segments of the shard in their final order, with the position of their run in `paths`."""
    bounds = shard_bounds(num_shards)
    parts = []
    for run_index, path in enumerate(paths):
        index = pa.ipc.open_file(pa.memory_map(f"{path}.index")).read_all()
        low = np.searchsorted(index["hash_first"], bounds[shard_index - 1]) if shard_index else 0
        high = np.searchsorted(index["hash_first"], bounds[shard_index]) if shard_index < num_shards - 1 else len(index)
        part = index.slice(low, high - low)
        parts.append(part.append_column("run", pa.array(np.full(len(part), run_index, np.int32))))
    empty = INDEX_SCHEMA.append(pa.field("run", pa.int32())).empty_table()
    segments = pa.concat_tables([empty, *parts]).combine_chunks()
    order = ["group_hash", "piece_index", "first_row"]
    return segments.sort_by([(name, "ascending") for name in order]).combine_chunks()


def _chunks(lengths: np.ndarray, chunk_bytes: int) -> Iterator[tuple[int, int]]:
    """Ranges of segments of at most `chunk_bytes` together, or of one segment that is longer."""
    ends = np.cumsum(lengths)
    start = 0
    while start < len(lengths):
        before = ends[start - 1] if start else 0
        end = max(start + 1, int(np.searchsorted(ends, before + chunk_bytes, side="right")))
        yield start, end
        start = end


def _chunk_blocks(paths: Sequence[str], segments: pa.Table, chunk_bytes: int) -> Iterator[pa.Buffer | bytes]:
    """The bytes of consecutive segments, in order."""
    runs, offsets, lengths = (segments[name].to_numpy() for name in ("run", "offset_bytes", "length_bytes"))
    if len(segments) == 1:
        yield from _range_blocks(paths[runs[0]], int(offsets[0]), int(lengths[0]), chunk_bytes)
        return
    by_run = np.argsort(runs, kind="stable")
    parts = []
    for run_index in np.unique(runs):
        mine = by_run[runs[by_run] == run_index]
        data = b"".join(_range_blocks(paths[run_index], int(offsets[mine[0]]), int(lengths[mine].sum()), chunk_bytes))
        parts.append(binary_array(data, lengths[mine]))
    place = np.empty(len(by_run), np.int64)
    place[by_run] = np.arange(len(by_run))
    yield data_of(pa.concat_arrays(parts).take(pa.array(place)))


def _range_blocks(path: str, offset: int, length: int, block_bytes: int) -> Iterator[bytes]:
    with open(path, "rb") as file:
        file.seek(offset)
        while length > 0:
            block = file.read(min(length, block_bytes))
            if not block:
                raise CorruptError(f"the run {path} is cut short; run the build again")
            length -= len(block)
            yield block


def _group_rows(segments: pa.Table, shard_index: int) -> pa.Table:
    """The group table of the shard."""
    if not len(segments):
        return SCHEMA.empty_table()
    hashes = np.frombuffer(b"".join(segments["group_hash"].to_pylist()), f"V{HASH_BYTES}")
    first = np.flatnonzero(np.concatenate([[True], hashes[1:] != hashes[:-1]]))
    _refuse_collisions(segments["group_id"].combine_chunks(), first)
    sums = {
        name: np.add.reduceat(segments[name].to_numpy(), first)
        for name in ("length_bytes", "num_examples", "num_bytes", "num_words")
    }
    heads = segments.take(pa.array(first))
    return pa.table(
        {
            "group_id": heads["group_id"],
            "group_hash": heads["group_hash"],
            "shard_index": np.full(len(first), shard_index, np.int32),
            "offset_bytes": np.cumsum(sums["length_bytes"]) - sums["length_bytes"],
            **sums,
        },
        schema=SCHEMA,
    )


def _refuse_collisions(group_ids: pa.Array, first: np.ndarray) -> None:
    """Two groups with one 128-bit hash would be mixed. It will not happen; if it does, nothing is lost."""
    head = np.repeat(first, np.diff(np.append(first, len(group_ids))))
    same = pa.compute.equal(group_ids, group_ids.take(pa.array(head)))
    if not pa.compute.all(same).as_py():
        wrong = group_ids.filter(pa.compute.invert(same))[0].as_py()
        raise CorruptError(f"group {wrong!r} has the same hash as another group; set another seed in the spec")


class _ChecksumWriter:
    """Writes to a file and keeps its size and checksums."""

    def __init__(self, file: object) -> None:
        self._file = file
        self._crc = google_crc32c.Checksum()
        self._sha = hashlib.sha256()
        self._size = 0

    def write(self, block: pa.Buffer | bytes) -> None:
        self._file.write(block)  # type: ignore[attr-defined]
        self._crc.update(bytes(block))
        self._sha.update(block)
        self._size += len(block)

    def summary(self) -> tuple[int, str, str]:
        """Size, CRC32C and SHA-256."""
        return self._size, self._crc.digest().hex(), self._sha.hexdigest()
