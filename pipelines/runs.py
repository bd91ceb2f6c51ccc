"""Spill: a worker sorts what fits in its memory and writes it as a run.

A run is a file of framed records, those of a group adjacent and groups in the order of their hashes, and beside it
an index with one row per segment: the examples of one group that come from one stretch of a piece, that is from
batches that followed each other. So segments never interleave, whatever a runner does with the batches. The records
are final: the merge copies byte ranges of runs and never looks inside.
"""

from __future__ import annotations

import itertools
import uuid
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from groupstream.binary import byte_lengths, data_of, joined
from groupstream.examples.encoding import encode_examples, encode_group_ids
from groupstream.features import Features
from groupstream.group_order import HASH_BYTES, hash_group_ids, hash_words
from groupstream.tfrecord import OVERHEAD_BYTES, frame_records
from pipelines.batches import Batch
from pipelines.tally import Tally, total
from pipelines.words import count_words

_WRITE_EXAMPLES = 1 << 14  # framed and written at once

INDEX_SCHEMA = pa.schema(
    [
        ("hash_first", pa.uint64()),  # the first word of the hash: what shards are cut by
        ("group_hash", pa.binary(HASH_BYTES)),
        ("group_id", pa.binary()),
        ("piece_index", pa.int32()),
        ("first_row", pa.int64()),
        ("offset_bytes", pa.int64()),
        ("length_bytes", pa.int64()),
        ("num_examples", pa.int64()),
        ("num_bytes", pa.int64()),
        ("num_words", pa.int64()),
    ]
)


@dataclass(frozen=True)
class Run:
    """A sorted run. `path` is None where every example of it was dropped."""

    path: str | None
    size_bytes: int
    num_examples: int
    tally: Tally

    @property
    def index_path(self) -> str:
        """Where its index lies."""
        return f"{self.path}.index"


@dataclass(frozen=True)
class _Buffered:
    """The examples of a batch as they wait to be sorted; one item each in all arrays."""

    records: pa.LargeBinaryArray
    groups: np.ndarray  # positions in the list of the groups of the run
    pieces: np.ndarray
    stretches: np.ndarray  # which stretch of the run
    rows: np.ndarray
    words: np.ndarray


class RunWriter:
    """Collects batches and writes a run whenever their records reach `memory_bytes`."""

    def __init__(
        self, folder: Path, features: Features, text_features: frozenset[str], seed: int, memory_bytes: int
    ) -> None:
        self._folder = folder
        self._features = features
        self._text_features = text_features
        self._seed = seed
        self._memory_bytes = memory_bytes
        self._continues_at: tuple[int, int] | None = None
        self._clear()

    def add(self, batch: Batch) -> Run | None:
        """Takes a batch; the run that it completes, if it does."""
        self._tallies.append(batch.tally)
        if (batch.piece.index, batch.first_row) != self._continues_at:
            self._num_stretches += 1
        self._continues_at = (batch.piece.index, batch.end_row)
        if len(batch.rows):
            buffered = self._buffer(batch)
            self._buffered.append(buffered)
            self._num_bytes += buffered.records.nbytes
        return self.flush() if self._num_bytes >= self._memory_bytes else None

    def flush(self) -> Run | None:
        """Writes what waits, if anything does."""
        if not self._tallies:
            return None
        tally = total(self._tallies)
        buffered, group_ids = self._buffered, list(self._groups)
        self._clear()
        if not buffered:
            return Run(None, 0, 0, tally)
        path = self._folder / f"{uuid.uuid4().hex}.run"
        size, examples = _write_run(path, _concatenated(buffered), group_ids, self._seed)
        return Run(str(path), size, examples, tally)

    def _clear(self) -> None:
        self._buffered: list[_Buffered] = []
        self._tallies: list[Tally] = []
        self._groups: dict[bytes, int] = {}
        self._num_bytes = 0
        self._num_stretches = 0
        self._continues_at = None

    def _buffer(self, batch: Batch) -> _Buffered:
        records = encode_examples(batch.columns, self._features) if batch.records is None else batch.records
        coded = batch.group_ids.dictionary_encode()
        ranks = [self._groups.setdefault(g, len(self._groups)) for g in coded.dictionary.to_pylist()]
        groups = np.array(ranks, np.int64)[coded.indices.to_numpy()]
        words = np.zeros(len(batch.rows), np.int64)
        for name in sorted(self._text_features):
            words += count_words(batch.columns.column(name))
        pieces = np.full(len(batch.rows), batch.piece.index, np.int32)
        stretches = np.full(len(batch.rows), self._num_stretches, np.int32)
        return _Buffered(records, groups, pieces, stretches, batch.rows, words)


def _concatenated(buffered: list[_Buffered]) -> _Buffered:
    records = pa.concat_arrays([b.records for b in buffered])
    arrays = ([getattr(b, name) for b in buffered] for name in ("groups", "pieces", "stretches", "rows", "words"))
    return _Buffered(records, *(np.concatenate(a) for a in arrays))


def _write_run(path: Path, examples: _Buffered, group_ids: list[bytes], seed: int) -> tuple[int, int]:
    """Sorts and writes the examples and their index; the size of the run and the number of its examples."""
    hashes = hash_group_ids(group_ids, seed)
    by_hash = np.lexsort(hash_words(hashes)[::-1])
    ranks = np.empty(len(by_hash), np.int64)
    ranks[by_hash] = np.arange(len(by_hash))
    rank = ranks[examples.groups]
    order = np.lexsort((examples.rows, examples.pieces, rank))
    suffixes = encode_group_ids(pa.array([group_ids[i] for i in by_hash], pa.large_binary()))
    lengths = _write_records(path, examples.records, suffixes, order, rank)
    index = _index_segments(examples, order, rank, lengths)
    index["group_hash"] = pa.array([hashes[by_hash[r]].tobytes() for r in index["rank"]], pa.binary(HASH_BYTES))
    index["group_id"] = pa.array([group_ids[by_hash[r]] for r in index["rank"]], pa.binary())
    index["hash_first"] = hash_words(hashes)[0][by_hash][index.pop("rank")]
    table = pa.table({name: index[name] for name in INDEX_SCHEMA.names}, schema=INDEX_SCHEMA)
    with pa.OSFile(f"{path}.index", "wb") as sink, pa.ipc.new_file(sink, INDEX_SCHEMA) as writer:
        writer.write_table(table)
    return int(lengths.sum()), len(order)


def _write_records(
    path: Path, records: pa.LargeBinaryArray, suffixes: pa.LargeBinaryArray, order: np.ndarray, rank: np.ndarray
) -> np.ndarray:
    """Writes the records in order, each with its group id; int64[num_examples], bytes that each took."""
    lengths = []
    with open(path, "wb") as file:
        for start in range(0, len(order), _WRITE_EXAMPLES):
            part = order[start : start + _WRITE_EXAMPLES]
            framed = frame_records(joined(records.take(pa.array(part)), suffixes.take(pa.array(rank[part]))))
            file.write(data_of(framed))
            lengths.append(byte_lengths(framed))
    return np.concatenate(lengths)


def _index_segments(
    examples: _Buffered, order: np.ndarray, rank: np.ndarray, lengths: np.ndarray
) -> dict[str, np.ndarray]:
    """The columns of the index, and the rank of each segment's group."""
    rank, stretches = rank[order], examples.stretches[order]
    is_first = np.ones(len(order), bool)
    is_first[1:] = (rank[1:] != rank[:-1]) | (stretches[1:] != stretches[:-1])
    first = np.flatnonzero(is_first)
    length_bytes = np.add.reduceat(lengths, first)
    num_examples = np.diff(np.append(first, len(order)))
    return {
        "rank": rank[first],
        "piece_index": examples.pieces[order][first],
        "first_row": examples.rows[order][first],
        "offset_bytes": np.array(list(itertools.accumulate(length_bytes.tolist(), initial=0))[:-1]),
        "length_bytes": length_bytes,
        "num_examples": num_examples,
        "num_bytes": length_bytes - OVERHEAD_BYTES * num_examples,
        "num_words": np.add.reduceat(examples.words[order], first),
    }
