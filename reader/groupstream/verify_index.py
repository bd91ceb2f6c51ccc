"""Whether the index says what the manifest says, and places each group where its hash does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from groupstream.binary import integers
from groupstream.commands.printing import counted
from groupstream.dataset import Split
from groupstream.errors import CorruptError
from groupstream.group_order import HASH_BYTES, hash_group_ids, hash_words, shard_of
from groupstream.group_rows import numbers_of
from groupstream.group_table import SCHEMA, statistics_of
from groupstream.manifest import Manifest, Shard
from groupstream.tfrecord import OVERHEAD_BYTES
from groupstream.verify_finding import MAX_OFFENDERS, Fault, Finding, group_name, name_of
from groupstream.verify_tables import group_batches

_SIZES = ["num_examples", "num_bytes", "num_words"]


def check_sums(manifest: Manifest, splits: Iterable[Split]) -> Finding:
    """Adds up the index. Holds 24 bytes a group, and as much again while they are summed."""
    finding = Finding("sums of the index", "statistics, shards and examples_out as in the manifest")
    statistics = [split.statistics for split in manifest.splits.values()]
    num_examples = sum(each.num_examples for each in statistics)
    num_groups = counted(sum(each.num_groups for each in statistics), "group")
    finding.seen = f"{counted(num_examples, 'example')} of {num_groups}"
    for split in splits:
        try:
            finding.add_all(list(_wrong_sums(split)))
        except CorruptError as error:
            finding.add(name_of(split.info.group_table.path), "cannot be read", str(error))
    counts = manifest.counts
    for what, value in ("in", counts.examples_in - sum(counts.dropped.values())), ("out", counts.examples_out):
        if value != num_examples:
            wrong = f"examples_{what} make {value:,} examples, the splits have {num_examples:,}"
            finding.add("manifest.json", wrong, f"the counts of {manifest.ref} do not add up: {wrong}. Build it again")
    return finding


def _wrong_sums(split: Split) -> Iterator[Fault]:
    info, table = split.info, name_of(split.info.group_table.path)
    found = np.zeros((len(info.shards), 2), np.int64)  # groups and examples
    parts = [_count(batch, found) for batch in group_batches(split, ["shard_index", *_SIZES])]
    sizes = pa.Table.from_batches(parts, pa.schema([SCHEMA.field(name) for name in _SIZES]))
    expected, added = info.statistics.model_dump(), statistics_of(sizes).model_dump()
    for what in expected:
        if added[what] != expected[what]:
            yield Fault(
                f"{table}: {what} {_plain(added[what])}, not {_plain(expected[what])}",
                f"the index of split {split.name} does not add up to the statistics of the manifest: {what} is "
                f"{_plain(added[what])}, not {_plain(expected[what])}. Pull the version again",
            )
    for shard, counts in zip(info.shards, found.tolist(), strict=True):
        if counts != [shard.num_groups, shard.num_examples]:
            wrong = f"{counts[0]:,} groups, {counts[1]:,} examples"
            yield Fault(
                f"{name_of(shard.path)}: {wrong}, not {shard.num_groups:,} and {shard.num_examples:,}",
                f"the index has other counts of groups or examples for {shard.path} than the manifest: {wrong}. "
                "Pull the version again",
            )


def _plain(value: Any) -> str:
    return ", ".join(f"{key} {each:,}" for key, each in value.items()) if isinstance(value, dict) else f"{value:,}"


def _count(batch: pa.RecordBatch, found: np.ndarray) -> pa.RecordBatch:
    """Adds the groups and examples of each shard; gives the sizes alone."""
    shards, examples = (numbers_of(batch.column(name)) for name in ("shard_index", "num_examples"))
    inside = (shards >= 0) & (shards < len(found))
    np.add.at(found[:, 0], shards[inside], 1)
    np.add.at(found[:, 1], shards[inside], examples[inside])
    return batch.select(_SIZES)


def check_order(splits: Iterable[Split], max_hashed: int | None = None) -> Finding:
    """Compares each row with its hash and with the row before. Reads all of the index; holds a part of it.

    Args:
        max_hashed: of about how many ids in a split, evenly spread, the hash is computed again, which takes more time
            than all the rest; default of all.
    """
    limit = "ascending by the hash of the id; each group in one shard; shards filled without gap or overlap"
    finding = Finding("order of the index", limit)
    num_groups = num_shards = num_hashed = 0
    for split in splits:
        order = _Order(split, finding, max_hashed)
        try:
            for batch in group_batches(split, SCHEMA.names):
                order.add(batch)
                num_groups += len(batch)
            order.end()
        except CorruptError as error:
            finding.add(name_of(split.info.group_table.path), "cannot be read", str(error))
        num_shards += len(split.info.shards)
        num_hashed += order.num_hashed
    finding.seen = f"{counted(num_groups, 'group')} in {counted(num_shards, 'shard')}"
    if max_hashed is not None and num_hashed < num_groups:
        finding.seen += f", {num_hashed:,} ids hashed again"
    return finding


class _Order:
    """The rows of one split, as they come."""

    def __init__(self, split: Split, finding: Finding, max_hashed: int | None) -> None:
        self._split = split
        self._finding = finding
        self._step = 1 if max_hashed is None else -(-max(split.num_groups, 1) // max_hashed)
        self._num_rows = 0
        self.num_hashed = 0
        self._hash = np.zeros((0, HASH_BYTES), np.uint8)  # of the group before
        self._ends = np.zeros(len(split.info.shards), np.int64)  # of what is filled of each shard

    def add(self, batch: pa.RecordBatch) -> None:
        """Takes the next rows. Each with a fault counts once, by the first of the reasons."""
        reasons = [
            (self._out_of_order(batch), self._order_fault),
            (_inconsistent(batch), self._size_fault),
            (self._apart(batch), self._place_fault),
        ]
        wrong = np.logical_or.reduce([rows for rows, _ in reasons])
        if not wrong.any():
            return
        first = np.flatnonzero(wrong)[:MAX_OFFENDERS].tolist()
        faults = []
        for number in first:
            row = {name: batch.column(name)[number].as_py() for name in batch.schema.names}
            faults.append(next(explain(row) for rows, explain in reasons if rows[number]))
        self._finding.add_all(faults, int(wrong.sum()))

    def end(self) -> None:
        """After the last rows: whether the shards end where the groups do."""
        for shard, end in zip(self._split.info.shards, self._ends.tolist(), strict=True):
            if end != shard.size_bytes:
                wrong = f"its groups end at byte {end:,} of {shard.size_bytes:,}"
                self._finding.add_all([Fault(f"{name_of(shard.path)}: {wrong}", _not_filled(shard, wrong))])

    def _out_of_order(self, batch: pa.RecordBatch) -> np.ndarray:
        """bool[num_rows]: the hash is not that of the id, not above the one before, or belongs to another shard."""
        hashes = _hashes_in(batch)
        first, last = hash_words(np.concatenate([self._hash, hashes]))
        ascends = (first[1:] > first[:-1]) | ((first[1:] == first[:-1]) & (last[1:] > last[:-1]))
        shards = shard_of(first[len(self._hash) :], len(self._ends))
        wrong = shards != numbers_of(batch.column("shard_index"))
        wrong[len(wrong) - len(ascends) :] |= ~ascends
        hashed = np.arange(-self._num_rows % self._step, len(batch), self._step)
        ids = batch.column("group_id").take(integers(hashed)).to_pylist()
        wrong[hashed] |= (hash_group_ids(ids, self._split.seed) != hashes[hashed]).any(axis=1)
        wrong |= numbers_of(pc.binary_length(batch.column("group_id"))) == 0
        self.num_hashed += len(ids)
        self._hash, self._num_rows = hashes[-1:], self._num_rows + len(batch)
        return wrong

    def _apart(self, batch: pa.RecordBatch) -> np.ndarray:
        """bool[num_rows]: the group does not begin where the one before it in its shard ends."""
        shards, starts, lengths = (numbers_of(batch.column(n)) for n in ("shard_index", "offset_bytes", "length_bytes"))
        inside = np.flatnonzero((shards >= 0) & (shards < len(self._ends)))
        order = inside[np.argsort(shards[inside], kind="stable")]
        shards, starts, ends = shards[order], starts[order], (starts + lengths)[order]
        is_first = np.append(True, shards[1:] != shards[:-1])[: len(shards)]
        expected = np.append(0, ends[:-1])[: len(ends)]
        expected[is_first] = self._ends[shards[is_first]]
        is_last = np.append(is_first[1:], True)[: len(shards)]
        self._ends[shards[is_last]] = ends[is_last]
        wrong = np.zeros(len(batch), bool)
        wrong[order] = starts != expected
        return wrong

    def _order_fault(self, row: dict[str, Any]) -> Fault:
        name = group_name(row["group_id"], self._split.name)
        return Fault(
            f"{name}: {'out of order' if row['group_id'] else 'an id without a byte'}",
            f"the index of split {self._split.name} is not in the order of the hashes of its group ids: {name} stands "
            "where its hash does not, or has no byte. Build it again",
        )

    def _size_fault(self, row: dict[str, Any]) -> Fault:
        numbers = ", ".join(f"{what} {row[what]:,}" for what in ("length_bytes", *_SIZES))
        return Fault(
            f"{group_name(row['group_id'], self._split.name)}: {numbers}",
            f"{group_name(row['group_id'], self._split.name)} cannot have the sizes that the index says: {numbers}. "
            "Build it again",
        )

    def _place_fault(self, row: dict[str, Any]) -> Fault:
        name, shard = group_name(row["group_id"], self._split.name), self._split.info.shards[row["shard_index"]]
        wrong = f"{name} begins at byte {row['offset_bytes']:,}, not where the group before it ends"
        return Fault(
            f"{name}: a gap or overlap at byte {row['offset_bytes']:,} of {name_of(shard.path)}",
            _not_filled(shard, wrong),
        )


def _hashes_in(batch: pa.RecordBatch) -> np.ndarray:
    """uint8[num_rows, 16]. No copy."""
    column = batch.column("group_hash")
    return np.frombuffer(column.buffers()[1], np.uint8).reshape(-1, HASH_BYTES)[column.offset :][: len(column)]


def _not_filled(shard: Shard, wrong: str) -> str:
    return (
        f"the groups that the index places in {shard.path} do not fill it one after the other: {wrong}. Build it again"
    )


def _inconsistent(batch: pa.RecordBatch) -> np.ndarray:
    """bool[num_rows]: the sizes of the group contradict each other."""
    length, examples, size, words = (numbers_of(batch.column(name)) for name in ("length_bytes", *_SIZES))
    framed = size + OVERHEAD_BYTES * examples
    return (examples < 1) | (size < 0) | (words < 0) | (length != framed)
