"""A stream as stretches that can be read by themselves: the shards of libraries that ask for theirs beforehand.

One after the other, the stretches are the stream.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from groupstream.chunk import Chunk, work_ahead
from groupstream.position import Position

if TYPE_CHECKING:
    from groupstream.stream import GroupStream

_STRETCH_BYTES = 64 << 20
_MIN_STRETCHES, _MAX_STRETCHES = 16, 1 << 12  # an epoch; so many processes can share it


@dataclass(frozen=True)
class Stretch:
    """The groups of an epoch whose positions are at least `start` and less than `stop`."""

    epoch: int
    start: int
    stop: int


def all_chunks(stream: GroupStream) -> Iterator[Chunk]:
    """The groups of all epochs, many at once."""
    epoch = stream.first_epoch
    while stream.has_epoch(epoch):
        yield from stream.chunks(epoch=epoch)
        epoch += 1


def stretches_of(stream: GroupStream) -> list[Stretch]:
    """All of a stream that has an end, in order. Reads the index if the stream has a filter."""
    assert stream.num_epochs is not None
    start, stop = _positions(stream)
    wanted = stream.split.info.statistics.num_bytes // stream.num_shards // _STRETCH_BYTES
    count = min(max(wanted, _MIN_STRETCHES), _MAX_STRETCHES, max(stop - start, 1))
    bounds = [start + (stop - start) * i // count for i in range(count + 1)]
    epochs = range(stream.first_epoch, stream.first_epoch + stream.num_epochs)
    return [Stretch(e, a, b) for e in epochs for a, b in itertools.pairwise(bounds)]


def chunks_of(stream: GroupStream, stretch: Stretch) -> Iterator[Chunk]:
    """Its groups, many at once, decoded ahead as the stream says."""
    return work_ahead(_chunks_within(stream, stretch), Chunk.decode, stream.chunks_ahead)


def _chunks_within(stream: GroupStream, stretch: Stretch) -> Iterator[Chunk]:
    reader = stream.split.reader(stream.features)
    for chunk in stream.prefetch(0).chunks(epoch=stretch.epoch, start=Position(0, stretch.start)):
        num_groups = int(np.searchsorted(chunk.rows.positions, stretch.stop))
        if num_groups:
            yield chunk if num_groups == len(chunk.rows) else Chunk(reader, chunk.rows.cut(0, num_groups))
        if num_groups < len(chunk.rows):
            return


def _positions(stream: GroupStream) -> tuple[int, int]:
    """The first position of the stream in an epoch, and the one after its last."""
    index, count, total = stream.shard_index, stream.num_shards, stream.split.num_groups
    if stream.seed is None:
        return total * index // count, total * (index + 1) // count
    if stream.selection:
        total = len(stream.selection.rows(stream.split.index))
    return 0, max(0, -(-(total - index) // count))
