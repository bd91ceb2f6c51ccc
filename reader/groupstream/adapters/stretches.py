"""A stream as stretches that can be read by themselves: the shards of libraries that ask for theirs beforehand.

One after the other, the stretches are the stream.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from groupstream.chunk import Chunk
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
        chunk = None
        for chunk in stream.chunks(epoch=epoch):
            yield chunk
        stream.require_something(chunk is not None)
        epoch += 1


def stretches_of(stream: GroupStream) -> list[Stretch]:
    """All of a stream that has an end, in order. Reads the index if the stream has a filter."""
    assert stream.num_epochs is not None
    positions = stream.positions()
    wanted = stream.split.info.statistics.num_bytes // stream.num_shards // _STRETCH_BYTES
    count = min(max(wanted, _MIN_STRETCHES), _MAX_STRETCHES, max(len(positions), 1))
    bounds = [positions.start + len(positions) * i // count for i in range(count + 1)]
    epochs = range(stream.first_epoch, stream.first_epoch + stream.num_epochs)
    return [Stretch(e, a, b) for e in epochs for a, b in itertools.pairwise(bounds)]


def chunks_of(stream: GroupStream, stretch: Stretch) -> Iterator[Chunk]:
    """Its groups, many at once, decoded ahead as the stream says."""
    return stream.chunks(epoch=stretch.epoch, start=Position(0, stretch.start), stop=stretch.stop)
