"""Groups of a version, copied to new shards: their byte ranges as they are, neighbours in one request."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from groupstream.binary import byte_lengths
from groupstream.errors import CorruptError
from groupstream.group_rows import GroupRows
from groupstream.pulling.download import read_range
from groupstream.pulling.part_file import allocate, write_at
from groupstream.selection import shown_id
from groupstream.stores import Store
from groupstream.tfrecord import OVERHEAD_BYTES, iter_record_blocks

BLOCK_BYTES = 8 << 20  # at most in one request
GAP_BYTES = 1 << 20  # between two groups that are read together: less time than another request


@dataclass(frozen=True)
class Places:
    """Where some groups go, in their order.

    Attributes:
        shard_index: int32[num_groups], the new shard of each.
        offset_bytes: int64[num_groups], in that shard.
        shard_bytes: int64[num_shards].
    """

    shard_index: np.ndarray
    offset_bytes: np.ndarray
    shard_bytes: np.ndarray


class Piece(NamedTuple):
    """A range of a group that is copied at once."""

    source_shard: int
    source_offset: int
    length: int
    target_shard: int
    target_offset: int

    @property
    def source_end(self) -> int:
        """The byte after it, in the source."""
        return self.source_offset + self.length


def place_groups(length_bytes: np.ndarray, shard_index: np.ndarray, num_shards: int) -> Places:
    """Puts groups one after the other into their shards.

    Args:
        length_bytes: int64[num_groups].
        shard_index: int64[num_groups], ascending.
        num_shards: at least 1; a shard may stay empty.
    """
    ends = np.concatenate([[0], np.cumsum(length_bytes)])
    bounds = ends[np.searchsorted(shard_index, np.arange(num_shards + 1))]
    return Places(shard_index.astype(np.int32), ends[:-1] - bounds[shard_index], np.diff(bounds))


def copy_groups(
    store: Store,
    shards: list[str],
    rows: GroupRows,
    places: Places,
    targets: list[Path],
    connections: ThreadPoolExecutor,
    on_bytes: Callable[[int], None],
) -> None:
    """Writes the new shards. Nothing is checked yet.

    Args:
        shards: the paths of the old ones in the store.
        rows: the groups, ascending in the order of the old shards.
        targets: the new shards, made or emptied here.

    Raises:
        CorruptError: a shard is missing, or too short.
        OSError: the disk refuses a write.
    """
    for path, size in zip(targets, places.shard_bytes.tolist(), strict=True):
        with _opened(path) as handle:
            allocate(handle, size)

    def copy(pieces: list[Piece]) -> None:
        start = pieces[0].source_offset
        data = read_range(store, shards[pieces[0].source_shard], start, pieces[-1].source_end - start)
        for target, together in itertools.groupby(pieces, lambda piece: piece.target_shard):
            with _opened(targets[target]) as handle:
                for piece in together:
                    part = data[piece.source_offset - start : piece.source_end - start]
                    write_at(handle, part, piece.target_offset)
                    on_bytes(piece.length)

    futures = [connections.submit(copy, together) for together in in_requests(pieces_of(rows, places))]
    try:
        for future in futures:
            future.result()
    finally:
        for future in futures:
            if not future.cancel():
                future.exception()  # waits: no thread may write once the files are used, or removed


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
    try:
        yield handle
    finally:
        os.close(handle)


def check_groups(shard: Path, rows: GroupRows, where: str) -> None:
    """Reads a new shard and checks every CRC, and that each group ends where its row says.

    Args:
        rows: the groups of this shard.
        where: names the source in errors.

    Raises:
        CorruptError: the bytes are not those that were published.
    """
    group_ends, example_ends = np.cumsum(rows.length_bytes), np.cumsum(rows.num_examples)
    position = count = first = 0
    with open(shard, "rb") as opened:

        def read(offset: int, length: int) -> bytes:
            opened.seek(offset)
            return opened.read(length)

        for records in iter_record_blocks(read, 0, shard.stat().st_size, where):
            ends = position + np.cumsum(byte_lengths(records) + OVERHEAD_BYTES)
            last = int(np.searchsorted(group_ends, ends[-1], side="right"))
            at = np.minimum(np.searchsorted(ends, group_ends[first:last]), len(ends) - 1)
            right = (ends[at] == group_ends[first:last]) & (count + at + 1 == example_ends[first:last])
            if not right.all():
                group_id = rows.group_ids[first + int(np.argmin(right))]
                raise CorruptError(
                    f"{where}: group {shown_id(group_id)} is not where the index places it. "
                    "Check the version with: groupstream verify REF"
                )
            position, count, first = int(ends[-1]), count + len(ends), last


def pieces_of(rows: GroupRows, places: Places) -> Iterator[Piece]:
    """The ranges to copy, in order; a large group is several."""
    columns = (rows.shard_index, rows.offset_bytes, rows.length_bytes, places.shard_index, places.offset_bytes)
    for source_shard, source, length, target_shard, target in zip(*(c.tolist() for c in columns), strict=True):
        for skipped in range(0, length, BLOCK_BYTES):
            size = min(BLOCK_BYTES, length - skipped)
            yield Piece(source_shard, source + skipped, size, target_shard, target + skipped)


def in_requests(pieces: Iterator[Piece]) -> Iterator[list[Piece]]:
    """The pieces that are read with one request: near each other in one shard, at most a block in all."""
    together: list[Piece] = []
    for piece in pieces:
        if together and (
            piece.source_shard != together[0].source_shard
            or piece.source_offset - together[-1].source_end > GAP_BYTES
            or piece.source_end - together[0].source_offset > BLOCK_BYTES
        ):
            yield together
            together = []
        together.append(piece)
    if together:
        yield together
