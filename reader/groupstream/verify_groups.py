"""Whether each group is what the index says, record by record."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from groupstream.binary import byte_lengths, integers, repeated
from groupstream.chunk import Chunk, cut_in_chunks, work_ahead
from groupstream.commands.printing import counted, format_bytes
from groupstream.dataset import Split
from groupstream.errors import CorruptError, ExampleError
from groupstream.examples.decoding import decode_examples
from groupstream.features import Feature
from groupstream.group_rows import NUMBERS, GroupRows, numbers_of, rows_of_batch
from groupstream.long_record import checked_length
from groupstream.manifest import Manifest
from groupstream.stored import read_stored
from groupstream.tfrecord import HEADER_BYTES, find_frames, unframe
from groupstream.verify_finding import Finding, group_name, name_of
from groupstream.verify_sample import Sample, draw_sample, inside_shards
from groupstream.verify_tables import group_batches

_COLUMNS = ["group_id", *NUMBERS]
_WAY_OUT = re.compile(r"\. (Pull|Check|Build) [^.]*$")  # the end of an error: an offender needs none


def check_groups(
    manifest: Manifest, splits: Iterable[Split], sample_bytes: int | None, seed: int, on_bytes: Callable[[int], None]
) -> Finding:
    """Reads groups: CRCs, the id in each record, examples, bytes. Stops in a split when five are wrong.

    Args:
        sample_bytes: about how much is read, of groups that are drawn by the seed; None for all.
        on_bytes: called with the number of bytes just read.
    """
    finding = Finding("groups", "CRC and group id of each record, examples and bytes as in the index")
    total = sum(shard.size_bytes for split in manifest.splits.values() for shard in split.shards)
    readers = []
    for split in splits:
        readers.append(_GroupReader(split, manifest.group_feature, finding, on_bytes))
        try:
            if sample_bytes is None:
                readers[-1].read_all()
            else:
                size = sum(shard.size_bytes for shard in split.info.shards)
                readers[-1].read_sample(draw_sample(split, sample_bytes * size // max(total, 1), seed))
        except CorruptError as error:
            finding.add(name_of(split.info.group_table.path), "cannot be read", str(error))
    finding.seen = _in_words(readers, manifest, total, is_sample=sample_bytes is not None)
    return finding


def _in_words(readers: Sequence[_GroupReader], manifest: Manifest, total: int, *, is_sample: bool) -> str:
    num_groups, num_cut = (sum(getattr(reader, name) for reader in readers) for name in ("num_groups", "num_cut"))
    size = format_bytes(sum(reader.num_bytes for reader in readers))
    if not is_sample:
        return f"{counted(num_groups, 'group')}, {size}"
    of_all = counted(sum(split.statistics.num_groups for split in manifest.splits.values()), "group")
    beginnings = f" (the beginning only of {num_cut:,})" if num_cut else ""
    return f"{num_groups:,} of {of_all}{beginnings}, {size} of {format_bytes(total)}, sampled"


class _GroupReader:
    """Reads groups of one split.

    Attributes:
        num_groups, num_bytes: what was read.
        num_cut: groups of which the beginning only was read.
    """

    def __init__(self, split: Split, group_feature: str, finding: Finding, on_bytes: Callable[[int], None]) -> None:
        self.num_groups = self.num_bytes = self.num_cut = 0
        self._split = split
        self._reader = split.reader()
        self._group_id = {group_feature: Feature(dtype="bytes", optional=True)}
        self._finding = finding
        self._on_bytes = on_bytes
        self._sizes = np.array([shard.size_bytes for shard in split.info.shards], np.int64)

    def read_all(self) -> None:
        """Reads every group."""
        self._read_whole(self._rows(None))

    def read_sample(self, sample: Sample) -> None:
        """Reads the groups of a sample; of large ones the beginning."""
        large: list[GroupRows] = []  # each of them takes 64 KiB of the sample at least, so they are few

        def whole() -> Iterator[GroupRows]:
            for rows in self._rows(sample):
                is_large = rows.length_bytes > sample.group_bytes
                large.extend(rows.cut(i, i + 1) for i in np.flatnonzero(is_large).tolist())
                rest = rows.take(np.flatnonzero(~is_large)) if is_large.any() else rows
                yield from [rest] if self._split.is_local else _runs(rest)  # elsewhere no byte between them is read

        self._read_whole(whole())
        for row in large:
            self._read_beginning(row, sample.group_bytes)

    def _rows(self, sample: Sample | None) -> Iterator[GroupRows]:
        """The rows of the index, or of a sample of it, a row group at a time. What names no bytes of a shard, fails."""
        for batch in group_batches(self._split, _COLUMNS):
            is_inside = inside_shards(batch, self._sizes) & (numbers_of(batch.column("num_examples")) > 0)
            for row in np.flatnonzero(~is_inside).tolist():
                group_id = batch.column("group_id")[row].as_py()
                self._add(group_id, _outside(group_id))
            wanted = np.flatnonzero(is_inside)
            if sample is not None:
                shards, offsets = (numbers_of(batch.column(name)) for name in ("shard_index", "offset_bytes"))
                wanted = wanted[sample.rows(shards[wanted], offsets[wanted])]
            yield rows_of_batch(batch if len(wanted) == len(batch) else batch.take(integers(wanted)), 0)

    def _read_whole(self, blocks: Iterable[GroupRows]) -> None:
        chunks = cut_in_chunks(self._reader, blocks)
        for chunk in work_ahead(chunks, Chunk.read, self._split.stream().chunks_ahead):
            if self._finding.is_full:
                self._finding.stop()
                return
            self._count(len(chunk.rows), int(chunk.rows.length_bytes.sum()))
            for i in self._suspects(chunk):
                self._read_alone(chunk.rows.cut(i, i + 1))

    def _suspects(self, chunk: Chunk) -> Sequence[int]:
        """The groups of a chunk that are to be read by themselves, to say what is wrong."""
        if chunk.is_large:
            return [0]
        try:
            records, counts = chunk.records, chunk.rows.num_examples
            is_stranger = self._are_strangers(records, chunk.rows.group_ids, counts)
        except (CorruptError, ExampleError):
            return range(len(chunk.rows))
        first = np.cumsum(counts) - counts
        wrong = np.logical_or.reduceat(is_stranger, first)
        wrong |= np.add.reduceat(byte_lengths(records), first) != chunk.rows.num_bytes
        return list(np.flatnonzero(wrong).tolist())

    def _are_strangers(
        self, records: pa.LargeBinaryArray, group_ids: Sequence[bytes], counts: np.ndarray
    ) -> np.ndarray:
        """bool[num_records]: the record names another group than the index."""
        found = self._ids_in(records)
        is_equal = pc.fill_null(pc.equal(found, repeated(group_ids, counts)), False)
        return ~np.asarray(is_equal.to_numpy(zero_copy_only=False), bool)

    def _ids_in(self, records: pa.LargeBinaryArray) -> pa.LargeBinaryArray:
        return decode_examples(records, self._group_id).column(0).cast(pa.large_binary())

    def _read_alone(self, row: GroupRows) -> None:
        """Reads one group a block at a time, and notes what is wrong with it."""
        if self._finding.is_full:
            return
        num_bytes = 0
        try:
            for records in self._reader.blocks_of(row):
                self._refuse_strangers(records, row.group_ids[0])
                num_bytes += int(byte_lengths(records).sum())
            if num_bytes != row.num_bytes[0]:
                name = row.group_ids[0].decode(errors="backslashreplace")
                raise CorruptError(f"group {name!r} has {num_bytes:,} bytes, the index says {row.num_bytes[0]:,}")
        except (CorruptError, ExampleError) as error:
            self._add(row.group_ids[0], str(error))

    def _read_beginning(self, row: GroupRows, max_bytes: int) -> None:
        """Reads the records at the beginning of a group that are whole in so many bytes."""
        path, start, length = self._reader.paths[row.shard_index[0]], int(row.offset_bytes[0]), int(row.length_bytes[0])
        where = f"{self._reader.store.root}/{path}, byte {start}"
        try:
            data = read_stored(self._reader.store, path, start, max_bytes)
            end = find_frames(data).end
            self._refuse_strangers(unframe(data[:end], where), row.group_ids[0])
            is_cut = len(data) < max_bytes  # the file ends here
            if is_cut or len(data) - end >= HEADER_BYTES:
                checked_length(data[end:], (len(data) if is_cut else length) - end, where)
        except (CorruptError, ExampleError) as error:
            self._add(row.group_ids[0], str(error))
        self.num_cut += 1
        self._count(1, max_bytes)

    def _refuse_strangers(self, records: pa.LargeBinaryArray, group_id: bytes) -> None:
        for found in self._ids_in(records).unique().to_pylist():
            if found != group_id:
                raise CorruptError(f"an example of group {found!r} stands where the index places group {group_id!r}")

    def _add(self, group_id: bytes, text: str) -> None:
        name = group_name(group_id, self._split.name)
        detail = _WAY_OUT.sub("", text.replace(f"{self._split.location}/", ""))
        self._finding.add(name, detail, text)

    def _count(self, num_groups: int, num_bytes: int) -> None:
        self.num_groups += num_groups
        self.num_bytes += num_bytes
        self._on_bytes(num_bytes)


def _runs(rows: GroupRows) -> Iterator[GroupRows]:
    """The same rows, cut where the next group does not lie after the one before."""
    ends = rows.offset_bytes + rows.length_bytes
    apart = (rows.shard_index[1:] != rows.shard_index[:-1]) | (rows.offset_bytes[1:] != ends[:-1])
    for start, stop in itertools.pairwise([0, *(np.flatnonzero(apart) + 1).tolist(), len(rows)]):
        yield rows.cut(start, stop)


def _outside(group_id: bytes) -> str:
    return (
        f"group '{name_of(group_id)}' lies outside of its shard, or has no example, as the index says. Build it again"
    )
