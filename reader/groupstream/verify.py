"""Whether what is stored is what was written: every byte, every CRC, the index against the shards."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa

from groupstream.binary import byte_lengths
from groupstream.chunk import Chunk
from groupstream.commit import checksums
from groupstream.dataset import Dataset, Split
from groupstream.errors import CorruptError
from groupstream.examples.decoding import decode_examples
from groupstream.features import Feature, Features
from groupstream.group import Group
from groupstream.group_order import HASH_BYTES, hash_group_ids, hash_words, shard_of
from groupstream.group_rows import numbers_of, rows_of_batch
from groupstream.group_table import statistics_of
from groupstream.manifest import Shard, StoredFile

_BLOCK_BYTES = 8 << 20


def verify(dataset: Dataset, on_bytes: Callable[[int], None] = lambda size: None) -> int:
    """Reads all of a version, twice, and compares it with its manifest. Holds 24 bytes a group, and a chunk.

    Args:
        on_bytes: called with the number of bytes just read.

    Returns:
        The number of examples read.

    Raises:
        CorruptError: the first thing that is not as it was written.
    """
    for file in dataset.manifest.all_files():
        _verify_file(dataset, file, on_bytes)
    group_id = {dataset.manifest.group_feature: Feature(dtype="bytes", optional=True)}
    return sum(_verify_split(split, group_id) for split in dataset.values())


def _verify_file(dataset: Dataset, file: StoredFile, on_bytes: Callable[[int], None]) -> None:
    def blocks() -> Iterator[bytes]:
        position = 0
        while block := dataset.read_file(file.path, position, _BLOCK_BYTES):
            position += len(block)
            on_bytes(len(block))
            yield block

    for what, value in checksums(blocks()).items():
        if getattr(file, what) != value:
            raise CorruptError(
                f"{dataset.location}/{file.path} has {what} {value}, its manifest says {getattr(file, what)}. "
                "Pull the version again"
            )


def _verify_split(split: Split, group_id: Features) -> int:
    if statistics_of(split.group_table(["num_examples", "num_bytes", "num_words"])) != split.info.statistics:
        raise CorruptError(f"the index of split {split.name} does not add up to the statistics of the manifest")
    _verify_index(split)
    return sum(_verify_chunk(chunk, group_id) for chunk in split.stream().chunks(decode=False))


def _verify_index(split: Split) -> None:
    """The groups stand in the order of their hashes; those of a shard one after the other, and they fill it."""
    shards = split.info.shards
    found = np.zeros((len(shards), 3), np.int64)  # bytes, groups and examples
    before = np.zeros((0, HASH_BYTES), np.uint8)
    for batch in split.index_file.batches():
        before = _verify_order(split, batch, before)
        rows = rows_of_batch(batch, 0)
        for number in np.unique(rows.shard_index).tolist():
            here = rows.take(np.flatnonzero(rows.shard_index == number))
            ends = found[number, 0] + np.cumsum(here.length_bytes)
            if not np.array_equal(here.offset_bytes, ends - here.length_bytes):
                raise CorruptError(_not_filled(shards[number]))
            found[number] += here.length_bytes.sum(), len(here), here.num_examples.sum()
    for shard, (size_bytes, num_groups, num_examples) in zip(shards, found.tolist(), strict=True):
        if size_bytes != shard.size_bytes:
            raise CorruptError(_not_filled(shard))
        if (num_groups, num_examples) != (shard.num_groups, shard.num_examples):
            raise CorruptError(f"the index has other counts of groups or examples for {shard.path} than the manifest")


def _verify_order(split: Split, batch: pa.RecordBatch, before: np.ndarray) -> np.ndarray:
    """Compares the hash of each group with its id and with that of the group before; gives that of the last."""
    hashes = hash_group_ids(batch.column("group_id").to_pylist(), split.seed)
    stored = np.frombuffer(b"".join(batch.column("group_hash").to_pylist()), np.uint8).reshape(-1, HASH_BYTES)
    shards = shard_of(hash_words(hashes)[0], len(split.info.shards))
    first, last = hash_words(np.concatenate([before, hashes]))
    ascends = (first[1:] > first[:-1]) | ((first[1:] == first[:-1]) & (last[1:] > last[:-1]))
    if not (
        np.array_equal(hashes, stored)
        and ascends.all()
        and np.array_equal(shards, numbers_of(batch.column("shard_index")))
    ):
        raise CorruptError(f"the index of split {split.name} is not in the order of the hashes of its group ids")
    return hashes[-1:]


def _not_filled(shard: Shard) -> str:
    return f"the groups that the index places in {shard.path} do not fill it one after the other"


def _verify_chunk(chunk: Chunk, group_id: Features) -> int:
    groups = list(chunk.groups())
    if chunk.is_large:
        return _verify_group(groups[0], group_id)
    records, counts = chunk.records, chunk.rows.num_examples
    found = decode_examples(records, group_id).column(0).to_pylist()
    owner = np.repeat(np.arange(len(groups)), counts).tolist()
    wrong = next((row for row, i in enumerate(owner) if found[row] != groups[i].id), None)
    if wrong is not None:
        _refuse_stranger(found[wrong], groups[owner[wrong]])
    num_bytes = np.add.reduceat(byte_lengths(records), np.cumsum(counts) - counts)
    for group, size in zip(groups, num_bytes.tolist(), strict=True):
        _verify_size(group, size)
    return len(records)


def _verify_group(group: Group, group_id: Features) -> int:
    num_bytes = 0
    for records in group.records():
        for found in decode_examples(records, group_id).column(0).unique().to_pylist():
            if found != group.id:
                _refuse_stranger(found, group)
        num_bytes += int(byte_lengths(records).sum())
    _verify_size(group, num_bytes)
    return group.num_examples


def _refuse_stranger(found: bytes | None, group: Group) -> None:
    raise CorruptError(f"an example of group {found!r} stands where the index places group {group.id!r}")


def _verify_size(group: Group, num_bytes: int) -> None:
    if num_bytes != group.num_bytes:
        raise CorruptError(f"group {group.name!r} has {num_bytes:,} bytes, the index says {group.num_bytes:,}")
