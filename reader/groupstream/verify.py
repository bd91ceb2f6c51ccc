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
from groupstream.group_order import hash_group_ids, hash_words, shard_of
from groupstream.group_table import statistics_of
from groupstream.manifest import StoredFile

_BLOCK_BYTES = 8 << 20


def verify(dataset: Dataset, on_bytes: Callable[[int], None] = lambda size: None) -> int:
    """Reads all of a version and compares it with its manifest.

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
    table = split.group_table()
    if statistics_of(table) != split.info.statistics:
        raise CorruptError(f"the index of split {split.name} does not add up to the statistics of the manifest")
    _verify_order(split, table)
    _verify_places(split, table)
    return sum(_verify_chunk(chunk, group_id) for chunk in split.stream().chunks(decode=False))


def _verify_order(split: Split, table: pa.Table) -> None:
    hashes = hash_group_ids(table["group_id"].to_pylist(), split.seed)
    stored = np.frombuffer(b"".join(table["group_hash"].to_pylist()), np.uint8).reshape(-1, hashes.shape[1])
    first, last = hash_words(hashes)
    ascends = (first[1:] > first[:-1]) | ((first[1:] == first[:-1]) & (last[1:] > last[:-1]))
    shards = shard_of(first, len(split.info.shards))
    if not (
        np.array_equal(hashes, stored) and ascends.all() and np.array_equal(shards, table["shard_index"].to_numpy())
    ):
        raise CorruptError(f"the index of split {split.name} is not in the order of the hashes of its group ids")


def _verify_places(split: Split, table: pa.Table) -> None:
    """The groups of a shard stand one after the other and fill it."""
    for shard_index, shard in enumerate(split.info.shards):
        rows = table.filter(np.equal(table["shard_index"].to_numpy(), shard_index))
        ends = np.cumsum(rows["length_bytes"].to_numpy())
        starts = np.concatenate([[0], ends])[: len(rows)]
        if not np.array_equal(starts, rows["offset_bytes"].to_numpy()) or shard.size_bytes != ends.max(initial=0):
            raise CorruptError(f"the groups that the index places in {shard.path} do not fill it one after the other")
        if (len(rows), rows["num_examples"].to_numpy().sum()) != (shard.num_groups, shard.num_examples):
            raise CorruptError(f"the index has other counts of groups or examples for {shard.path} than the manifest")


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
