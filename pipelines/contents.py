"""Which groups of two versions hold other examples, found by reading them: sizes do not show what was edited.

Each version is read once, in stored order, in blocks of a few MiB. Of a group 16 bytes are kept: a hash of its id and
its examples. So it does not matter where a group lies: the seeds and the numbers of shards may differ. Groups are
compared as they are stored; only those that differ so are decoded and compared by their values. Every byte is read: no
sample could say that nothing was edited.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa

from groupstream.binary import byte_lengths, byte_offsets, data_of, fixed_width_binary, joined
from groupstream.chunk import CHUNK_BYTES, cut_in_chunks
from groupstream.dataset import Split
from groupstream.errors import CorruptError
from groupstream.examples.encoding import encode_examples
from groupstream.group_rows import GroupRows
from groupstream.ranges import read_ranges
from groupstream.shard_reader import ShardReader
from groupstream.stored import read_stored

HASH_BYTES = 16
OnGroups = Callable[[int], None]  # takes how many more groups have been read
Block = bytes | memoryview

_HASH = np.dtype(f"S{HASH_BYTES}")
_THREADS = min(
    4, os.cpu_count() or 1
)  # that read and hash: they wait for the store, or leave the interpreter to others
_BLOCK_GROUPS = 1 << 16


@dataclass(frozen=True)
class Chosen:
    """Some groups of a split.

    Attributes:
        rows: bool[num_groups], by their place in stored order.
    """

    split: Split
    rows: np.ndarray

    def only(self, wanted: np.ndarray) -> Chosen:
        """Those of them that `wanted`, bool[number of those chosen], says."""
        rows = np.zeros_like(self.rows)
        rows[np.flatnonzero(self.rows)[wanted]] = True
        return Chosen(self.split, rows)

    def without(self, positions: np.ndarray) -> Chosen:
        """Those of them that do not stand at these places."""
        rows = self.rows.copy()
        rows[positions] = False
        return Chosen(self.split, rows)

    def blocks(self) -> Iterator[GroupRows]:
        """Their rows of the index, in stored order."""
        first = 0
        for rows in self.split.index_file.rows(0, len(self.rows)):
            wanted = np.flatnonzero(self.rows[first : first + len(rows)])
            first += len(rows)
            if len(wanted):
                yield rows if len(wanted) == len(rows) else rows.take(wanted)


class Contents(Protocol):
    """What is hashed of a group: bytes that are equal where its examples are, however they are cut."""

    def of_each(self, reader: ShardReader, rows: GroupRows) -> Iterable[Block]:
        """The bytes of each of some groups, of a few MiB together."""
        ...

    def of_large(self, reader: ShardReader, row: GroupRows) -> Iterator[Block]:
        """The bytes of one group that should not be held in memory, a block at a time."""
        ...


class StoredBytes:
    """The frames of its records as they lie in the shard. No CRC is checked: what is damaged differs."""

    def of_each(self, reader: ShardReader, rows: GroupRows) -> Iterable[Block]:
        """See `Contents.of_each`."""
        found = read_ranges(reader.store, reader.paths, rows.shard_index, rows.offset_bytes, rows.length_bytes)
        for data, length in zip(found, rows.length_bytes.tolist(), strict=True):
            _refuse_cut(len(data), length, reader, rows)
        return found

    def of_large(self, reader: ShardReader, row: GroupRows) -> Iterator[Block]:
        """See `Contents.of_large`."""
        start, length = int(row.offset_bytes[0]), int(row.length_bytes[0])
        for position in range(0, length, CHUNK_BYTES):
            wanted = min(CHUNK_BYTES, length - position)
            data = read_stored(reader.store, reader.paths[row.shard_index[0]], start + position, wanted)
            _refuse_cut(len(data), wanted, reader, row)
            yield data


class Values:
    """The values of the features that the reader decodes, all CRCs checked: each example encoded anew, in one way."""

    def of_each(self, reader: ShardReader, rows: GroupRows) -> Iterable[Block]:
        """See `Contents.of_each`."""
        examples = _encoded(reader, reader.read_groups(rows))
        ends = byte_offsets(examples)[np.concatenate([[0], np.cumsum(rows.num_examples)])]
        data, places = memoryview(data_of(examples)), (ends - ends[0]).tolist()
        return (data[start:stop] for start, stop in itertools.pairwise(places))

    def of_large(self, reader: ShardReader, row: GroupRows) -> Iterator[Block]:
        """See `Contents.of_large`."""
        return (memoryview(data_of(_encoded(reader, records))) for records in reader.blocks_of(row))


def differing_groups(before: Chosen, after: Chosen, features: list[str], on_groups: OnGroups) -> Chosen:
    """Those of `before` that `after` does not have with the same id and the same values of `features`, in order.

    Args:
        features: that both versions have, of the same type.
        on_groups: called with the number of groups that have just been read, of either version; groups whose bytes
            differ are read a second time.

    Raises:
        CorruptError: what was written cannot be read.
        ExampleError: an example is not as the features say.
    """
    return differing_values(*_differing(StoredBytes(), before, after, None, on_groups), features, on_groups)


def differing_values(before: Chosen, after: Chosen, features: list[str], on_groups: OnGroups) -> Chosen:
    """The same, of groups whose bytes are known to differ: they are decoded at once."""
    return _differing(Values(), before, after, features, on_groups)[0]


def _differing(
    contents: Contents, before: Chosen, after: Chosen, features: list[str] | None, on_groups: OnGroups
) -> tuple[Chosen, Chosen]:
    """The groups of each side that the other one does not have alike."""
    old, new = (_hashes(contents, chosen, features, on_groups) for chosen in (before, after))
    return before.only(_not_among(old, new)), after.only(_not_among(new, old))


def _hashes(contents: Contents, chosen: Chosen, features: list[str] | None, on_groups: OnGroups) -> np.ndarray:
    """A hash of the id and the content of each group."""
    reader = chosen.split.reader(features)
    found, end = np.empty(int(chosen.rows.sum()), _HASH), 0
    parts = (chunk.rows for chunk in cut_in_chunks(reader, chosen.blocks()))
    for hashes in _ahead(parts, lambda rows: _hashes_of(contents, reader, rows)):
        found[end : end + len(hashes)] = hashes
        end += len(hashes)
        on_groups(len(hashes))
    return found


def _hashes_of(contents: Contents, reader: ShardReader, rows: GroupRows) -> np.ndarray:
    if len(rows) == 1 and rows.length_bytes[0] > CHUNK_BYTES:
        digest = _started(rows.group_ids[0])
        for block in contents.of_large(reader, rows):
            digest.update(block)
        return np.frombuffer(digest.digest(), _HASH)
    digests = []
    for group_id, data in zip(rows.group_ids, contents.of_each(reader, rows), strict=True):
        digest = _started(group_id)
        digest.update(data)
        digests.append(digest.digest())
    return np.frombuffer(b"".join(digests), _HASH)


def _started(group_id: bytes) -> hashlib.blake2b:
    return hashlib.blake2b(len(group_id).to_bytes(8, "little") + group_id, digest_size=HASH_BYTES)


def _not_among(wanted: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """bool[len(wanted)]: which of them are not in `hashes`."""
    hashes = np.sort(hashes)
    if not len(hashes):
        return np.ones(len(wanted), bool)
    missing = np.empty(len(wanted), bool)
    for start in range(0, len(wanted), _BLOCK_GROUPS):
        block = wanted[start : start + _BLOCK_GROUPS]
        places = np.minimum(np.searchsorted(hashes, block), len(hashes) - 1)
        missing[start : start + len(block)] = hashes[places] != block
    return missing


def _ahead(parts: Iterable[GroupRows], work: Callable[[GroupRows], np.ndarray]) -> Iterator[np.ndarray]:
    """What `work` gives for each part, in their order; done in threads, a few parts ahead."""
    waiting: deque[Future[np.ndarray]] = deque()
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="groupstream-contents") as pool:
        try:
            for part in parts:
                waiting.append(pool.submit(work, part))
                if len(waiting) > _THREADS:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for each in waiting:
                each.cancel()


def _encoded(reader: ShardReader, records: pa.LargeBinaryArray) -> pa.LargeBinaryArray:
    """Each example encoded anew, after its length: else two of them could be read as one."""
    examples = encode_examples(reader.decode(records), reader.features)
    return joined(fixed_width_binary(byte_lengths(examples).astype("<u8")), examples)


def _refuse_cut(found: int, expected: int, reader: ShardReader, rows: GroupRows) -> None:
    if found != expected:
        path = reader.paths[rows.shard_index[0]]
        raise CorruptError(
            f"{reader.store.root}/{path} ends before its groups do. Check the version with: groupstream verify REF"
        )
