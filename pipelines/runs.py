"""Spill: a worker sorts what fits in its memory and writes it as runs, one for each split.

Segments never interleave, whatever a runner does with the batches: see `run_file.py`. The records are final: the merge
copies byte ranges of runs and never looks inside.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import IO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from groupstream.binary import byte_lengths, data_of, integers
from groupstream.examples.encoding import encode_examples, encode_group_ids
from groupstream.features import Features
from groupstream.group_order import HASH_BYTES, hash_group_ids, hash_words
from groupstream.tfrecord import frame_records
from partitioners.keys import key_bytes
from pipelines.batches import Batch
from pipelines.record_buffer import GROUP_BYTES, NAME_COPIES, SHORT_NAME_BYTES, Numbers, RecordBuffer
from pipelines.run_file import INDEX_SCHEMA, Run, write_index
from pipelines.staging import StagingArea
from pipelines.tally import Tally, total
from pipelines.words import count_words

_WRITE_BYTES = 1 << 22  # framed and written at once


class Shape(NamedTuple):
    """What a run writer must know of the build.

    Attributes:
        splits: their names.
        label_feature: whose values are counted for each group, if any.
        seed: the key of the group hash.
    """

    features: Features
    text_features: frozenset[str]
    splits: Sequence[str]
    label_feature: str | None
    seed: int


class RunWriter:
    """Collects batches and writes runs whenever what waits reaches `payload_bytes`."""

    def __init__(self, staging: StagingArea, shape: Shape, payload_bytes: int) -> None:
        self._staging = staging
        self._shape = shape
        self._payload_bytes = payload_bytes
        self._buffer = RecordBuffer(payload_bytes)
        self._tallies: list[Tally] = []
        self._groups: dict[tuple[int, bytes], int] = {}  # by split and id
        self._labels: dict[bytes, int] = {}
        self._name_bytes = 0  # of the groups and the labels
        self._num_stretches = 0
        self._continues_at: tuple[int, int] | None = None

    def add(self, batch: Batch) -> list[Run]:
        """Takes a batch; the runs that had to be written to have room for it."""
        records = self._records(batch)
        runs = []
        if self._buffer.num_examples and not self._buffer.has_room(records.nbytes):
            runs = self.flush()
        if (batch.piece.index, batch.first_row) != self._continues_at:
            self._num_stretches += 1
        self._continues_at = (batch.piece.index, batch.end_row)
        self._tallies.append(batch.tally)
        if len(batch.rows):
            num_groups, num_labels = len(self._groups), len(self._labels)
            self._buffer.add(records, self._numbers(batch))
            new_groups = islice(reversed(self._groups), len(self._groups) - num_groups)
            new_labels = islice(reversed(self._labels), len(self._labels) - num_labels)
            self._name_bytes += sum(len(group_id) for _, group_id in new_groups) + sum(map(len, new_labels))
        return [*runs, *(self.flush() if self._num_bytes >= self._payload_bytes else [])]

    def flush(self) -> list[Run]:
        """Writes what waits, if anything does: one run for each split that has examples."""
        if not self._tallies:
            return []
        tally = total(self._tallies)
        runs = list(self._write_runs()) if self._buffer.num_examples else []
        self.clear()
        head = runs[0] if runs else Run(self._shape.splits[0], None, 0, 0, tally)
        return [replace(head, tally=tally), *runs[1:]]

    @property
    def _num_bytes(self) -> int:
        num_names = len(self._groups) + len(self._labels)
        long_bytes = max(0, self._name_bytes - num_names * SHORT_NAME_BYTES)
        return self._buffer.num_bytes + num_names * GROUP_BYTES + long_bytes * NAME_COPIES

    def clear(self) -> None:
        """Forgets what waits."""
        self._buffer.clear()
        self._tallies = []
        self._groups = {}
        self._labels = {}
        self._name_bytes = 0
        self._num_stretches = 0
        self._continues_at = None

    def _records(self, batch: Batch) -> pa.LargeBinaryArray:
        return encode_examples(batch.columns, self._shape.features) if batch.records is None else batch.records

    def _numbers(self, batch: Batch) -> Numbers:
        size = len(batch.rows)
        words = np.zeros(size, np.int64)
        for name in sorted(self._shape.text_features):
            words += count_words(batch.columns.column(name))
        return Numbers(
            groups=self._group_numbers(batch),
            pieces=np.full(size, batch.piece.index, np.int32),
            stretches=np.full(size, self._num_stretches, np.int32),
            rows=batch.rows,
            words=words,
            labels=self._label_numbers(batch),
        )

    def _group_numbers(self, batch: Batch) -> np.ndarray:
        coded = batch.group_ids.dictionary_encode()
        ids, codes = coded.dictionary.to_pylist(), coded.indices.to_numpy().astype(np.int64)
        number = self._groups.setdefault
        if batch.splits is None:
            return np.array([number((0, g), len(self._groups)) for g in ids], np.int64)[codes]
        pairs, inverse = np.unique(batch.splits.astype(np.int64) * len(ids) + codes, return_inverse=True)
        found = [number((p // len(ids), ids[p % len(ids)]), len(self._groups)) for p in pairs.tolist()]
        return np.array(found, np.int64)[inverse]

    def _label_numbers(self, batch: Batch) -> np.ndarray:
        if self._shape.label_feature is None:
            return np.full(len(batch.rows), -1, np.int32)
        name = self._shape.label_feature
        coded = key_bytes(batch.columns.column(name), name).dictionary_encode()
        found = [self._labels.setdefault(label, len(self._labels)) for label in coded.dictionary.to_pylist()]
        return np.array([*found, -1], np.int32)[coded.indices.fill_null(-1).to_numpy()]

    def _write_runs(self) -> Iterator[Run]:
        records, numbers = self._buffer.contents()
        groups, labels = list(self._groups), list(self._labels)
        splits = np.array([split for split, _ in groups], np.int64)
        for split in np.unique(splits).tolist():
            in_split = np.flatnonzero(splits == split)
            yield self._write_run(split, [groups[i][1] for i in in_split.tolist()], in_split, records, numbers, labels)

    def _write_run(
        self,
        split: int,
        group_ids: list[bytes],
        in_split: np.ndarray,
        records: pa.LargeBinaryArray,
        numbers: Numbers,
        labels: list[bytes],
    ) -> Run:
        groups = _sorted_groups(group_ids, self._shape.seed)
        ranks = np.full(len(self._groups), -1, np.int64)
        ranks[in_split[groups.order]] = np.arange(len(in_split))
        rank = ranks[numbers.groups]
        order = np.lexsort((numbers.rows, numbers.pieces, rank))[np.count_nonzero(rank < 0) :]
        path = f"runs/{uuid.uuid4().hex}.run"
        with self._staging.writing(path) as temporary, open(temporary, "wb") as file:
            lengths = _write_records(file, records, groups.ids, order, rank[order])
            index = _index_segments(groups, _taken(numbers, order), rank[order], lengths, labels)
            offset, size = write_index(file, index)
        return Run(self._shape.splits[split], path, int(lengths.sum()), len(order), Tally(), offset, size)


class _Groups(NamedTuple):
    """The groups of a run, in the order of their hashes; `order` says which of the given ones each is."""

    ids: pa.LargeBinaryArray
    hashes: np.ndarray  # uint8[num_groups, 16]
    order: np.ndarray


def _sorted_groups(group_ids: list[bytes], seed: int) -> _Groups:
    hashes = hash_group_ids(group_ids, seed)
    order = np.lexsort(hash_words(hashes)[::-1])
    return _Groups(pa.array(group_ids, pa.large_binary()).take(integers(order)), hashes[order], order)


def _taken(numbers: Numbers, order: np.ndarray) -> Numbers:
    return Numbers(*(array[order] for array in numbers))


def _write_records(
    file: IO[bytes], records: pa.LargeBinaryArray, group_ids: pa.LargeBinaryArray, order: np.ndarray, rank: np.ndarray
) -> np.ndarray:
    """Writes the records in order, each with its group id; int64[num_examples], bytes that each took."""
    suffixes = encode_group_ids(group_ids)
    ends = np.cumsum(byte_lengths(records)[order])
    lengths, start = [], 0
    while start < len(order):
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + _WRITE_BYTES, side="right")))
        part = slice(start, stop)
        framed = frame_records(records.take(integers(order[part])), suffixes.take(integers(rank[part])))
        file.write(data_of(framed))
        lengths.append(byte_lengths(framed))
        start = stop
    return np.concatenate(lengths)


def _index_segments(
    groups: _Groups, examples: Numbers, rank: np.ndarray, lengths: np.ndarray, labels: list[bytes]
) -> pa.Table:
    """The index of sorted examples, whose frames have these lengths."""
    is_first = np.ones(len(rank), bool)
    is_first[1:] = (rank[1:] != rank[:-1]) | (examples.stretches[1:] != examples.stretches[:-1])
    first = np.flatnonzero(is_first)
    length_bytes = np.add.reduceat(lengths, first)
    words = hash_words(groups.hashes[rank[first]])
    of_segment = np.cumsum(is_first) - 1
    counted = _count_labels(of_segment, len(first), examples.labels, labels)
    columns = {
        "hash_first": words[0],
        "hash_last": words[1],
        "piece_index": examples.pieces[first],
        "first_row": examples.rows[first],
        "offset_bytes": np.cumsum(length_bytes) - length_bytes,
        "length_bytes": length_bytes,
        "num_examples": np.diff(np.append(first, len(rank))),
        "num_words": np.add.reduceat(examples.words, first),
        "group_hash": fixed_size_binary(groups.hashes[rank[first]]),
        "group_id": groups.ids.take(integers(rank[first])).cast(pa.binary()),
        "labels": counted[0],
        "label_examples": counted[1],
    }
    return pa.table(columns, schema=INDEX_SCHEMA)


def fixed_size_binary(hashes: np.ndarray) -> pa.Array:
    """binary(16)[num_groups] of uint8[num_groups, 16]. No copy."""
    data = pa.py_buffer(np.ascontiguousarray(hashes))
    return pa.Array.from_buffers(pa.binary(HASH_BYTES), len(hashes), [None, data])


def _count_labels(
    of_segment: np.ndarray, num_segments: int, numbers: np.ndarray, labels: list[bytes]
) -> tuple[pa.ListArray, pa.ListArray]:
    """The labels of each segment and how many examples have each, labels in the order of their bytes."""
    ranked = np.argsort(np.argsort(np.array(labels, object))) if labels else np.zeros(0, np.int64)
    has = numbers >= 0
    keys = of_segment[has] * max(len(labels), 1) + ranked[numbers[has]]
    found, counts = np.unique(keys, return_counts=True)
    offsets = np.searchsorted(found, np.arange(num_segments + 1) * max(len(labels), 1)).astype(np.int32)
    names = pc.take(pa.array(sorted(labels), pa.binary()), integers(found % max(len(labels), 1)))
    return (
        pa.ListArray.from_arrays(pa.array(offsets), names),
        pa.ListArray.from_arrays(pa.array(offsets), pa.array(counts, pa.int64())),
    )
