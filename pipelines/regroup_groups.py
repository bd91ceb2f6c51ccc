"""Whole groups out of the sorted segments of a range, and their records as they were before they were spilled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from groupstream import CorruptError
from groupstream.binary import byte_lengths, byte_offsets, gather, integers
from groupstream.examples.encoding import encode_group_ids
from groupstream.tfrecord import iter_record_blocks, unframe
from pipelines.group_parts import first_of_groups, refuse_collisions
from pipelines.run_reader import RunReader, chunks

_COLUMNS = ("hash_first", "hash_last", "group_id", "run", "offset_bytes", "length_bytes", "num_examples")


class Groups:
    """Some whole groups, in the order of their hashes.

    Attributes:
        segments: of all of them, in order.
        first: int64[num_groups], the first segment of each group.
        of_segments: int64[num_segments], the group of each segment.
        counts: int64[num_segments], examples of each segment.
        sizes: int64[num_groups], examples of each group.
        ids: binary[num_groups].
    """

    def __init__(self, segments: pa.Table) -> None:
        self.segments = segments
        self.first = first_of_groups(segments)
        self.of_segments = np.repeat(np.arange(len(self.first)), np.diff(np.append(self.first, len(segments))))
        self.counts = segments["num_examples"].to_numpy()
        self.sizes = np.add.reduceat(self.counts, self.first)
        ids = segments["group_id"].combine_chunks()
        refuse_collisions(ids, self.first)
        self.ids = ids.take(integers(self.first))


class Records(NamedTuple):
    """Some records of wanted segments, in order.

    Attributes:
        records: without the group id that each had at its end.
        segments: int64[num_records], the position of each one's segment.
        places: int64[num_records], which record of the segment each is.
    """

    records: pa.LargeBinaryArray
    segments: np.ndarray
    places: np.ndarray


def whole_groups(tables: Iterable[pa.Table]) -> Iterator[Groups]:
    """The groups of sorted segments, some at a time. Of a group that goes on in the next table, the segments wait."""
    waiting: list[pa.Table] = []
    for table in tables:
        table = table.select(_COLUMNS).combine_chunks()
        last = int(first_of_groups(table)[-1])
        if waiting and (last or _hash(table) != _hash(waiting[0])):
            yield _groups([*waiting, table.slice(0, last)])
            waiting = []
        elif last:
            yield _groups([table.slice(0, last)])
        waiting.append(table.slice(last))
    if waiting:
        yield _groups(waiting)


def _groups(tables: list[pa.Table]) -> Groups:
    return Groups(pa.concat_tables(tables).combine_chunks())


def _hash(segments: pa.Table) -> tuple[int, int]:
    return segments["hash_first"][0].as_py(), segments["hash_last"][0].as_py()


def read_groups(groups: Groups, wanted: np.ndarray, reader: RunReader, chunk_bytes: int) -> Iterator[Records]:
    """The records of the wanted groups, some at a time: of about `chunk_bytes`, or one that is longer.

    Args:
        wanted: bool[num_groups].

    Raises:
        CorruptError: a run is not as it was written.
    """
    is_wanted = wanted[groups.of_segments]
    for part in chunks(groups.segments["length_bytes"].to_numpy(), chunk_bytes):
        if not is_wanted[part].any():
            continue
        segments = groups.segments.slice(part.start, part.stop - part.start)
        if len(segments) == 1:
            blocks = _read_segment(segments, reader, chunk_bytes)
        else:
            blocks = (_unframed(block) for block in reader.blocks(segments, is_wanted[part], chunk_bytes))
        numbers = part.start + np.flatnonzero(is_wanted[part])
        yield from _numbered(groups, blocks, numbers)


def _unframed(block: pa.Buffer | np.ndarray) -> pa.LargeBinaryArray:
    return unframe(np.frombuffer(block, np.uint8).tobytes(), "a run of this build")


def _read_segment(segment: pa.Table, reader: RunReader, block_bytes: int) -> Iterator[pa.LargeBinaryArray]:
    """The records of one segment, which may be longer than a block."""
    run, start, length = (segment[name][0].as_py() for name in ("run", "offset_bytes", "length_bytes"))

    def read(offset: int, size: int) -> bytes:
        return reader.read(run, offset, size).tobytes()

    return iter_record_blocks(read, start, length, "a run of this build", block_bytes)


def _numbered(groups: Groups, blocks: Iterable[pa.LargeBinaryArray], numbers: np.ndarray) -> Iterator[Records]:
    """The records of the segments `numbers`."""
    counts = groups.counts[numbers]
    ends = np.cumsum(counts)
    start = 0
    for block in blocks:
        position = np.arange(start, start + len(block))
        start += len(block)
        if start > ends[-1]:
            break
        index = np.searchsorted(ends, position, side="right")
        segments = numbers[index]
        yield Records(_without_ids(groups, block, segments), segments, position - (ends - counts)[index])
    if start != ends[-1]:
        raise CorruptError(f"a run holds {start:,} records where its index says {ends[-1]:,}; run the build again")


def _without_ids(groups: Groups, records: pa.LargeBinaryArray, segments: np.ndarray) -> pa.LargeBinaryArray:
    """Takes off what `RunWriter` appended to each record."""
    used, codes = np.unique(groups.of_segments[segments], return_inverse=True)
    suffixes = encode_group_ids(groups.ids.take(integers(used)).cast(pa.large_binary())).take(integers(codes))
    offsets = byte_offsets(records)
    starts, ends = offsets[:-1], offsets[1:]
    cuts = ends - byte_lengths(suffixes)
    data = records.buffers()[2]
    if (cuts < starts).any() or not pc.all(pc.equal(gather(data, cuts, ends), suffixes)).as_py():
        raise CorruptError("a run holds a record that does not end with the id of its group; run the build again")
    return gather(data, starts, cuts)
