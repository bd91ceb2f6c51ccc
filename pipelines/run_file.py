"""The file of a run: sorted records, an index of its segments, a directory of the index.

    framed records | index blocks | directory

The records of a group are adjacent, groups stand in the order of their hashes. The index has one row a segment: the
examples of one group that come from one stretch of a piece, that is from batches that followed each other. It is cut
into blocks of 1,024 rows, each an Arrow record batch; the directory has for each block its first hash and where it
begins. So a merge finds the part of any range of hashes with two reads, and reads the records of it with one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import numpy as np
import pyarrow as pa

from groupstream.group_order import HASH_BYTES
from pipelines.staging import StagingArea
from pipelines.tally import Tally

BLOCK_SEGMENTS = 1 << 10

INDEX_SCHEMA = pa.schema(
    [
        ("hash_first", pa.uint64()),  # the two words of the hash, which sort as its bytes do
        ("hash_last", pa.uint64()),
        ("piece_index", pa.int32()),
        ("first_row", pa.int64()),
        ("offset_bytes", pa.int64()),
        ("length_bytes", pa.int64()),
        ("num_examples", pa.int64()),
        ("num_words", pa.int64()),
        ("group_hash", pa.binary(HASH_BYTES)),
        ("group_id", pa.binary()),
        ("labels", pa.list_(pa.binary())),  # empty where the spec names no label
        ("label_examples", pa.list_(pa.int64())),
    ]
)

_DIRECTORY = np.dtype([("hash_first", "<u8"), ("offset_bytes", "<i8")])  # of each block; a last row says where they end


@dataclass(frozen=True)
class Run:
    """A sorted run of one split.

    Attributes:
        path: in the staging area; None where every example of it was dropped.
        size_bytes: of its records.
        directory_bytes: of its directory, which lies at `directory_offset`.
        tally: of the batches that it was made of; one of the runs that were made of the same batches has it.
    """

    split: str
    path: str | None
    size_bytes: int
    num_examples: int
    tally: Tally
    directory_offset: int = 0
    directory_bytes: int = 0


def write_index(file: IO[bytes], index: pa.Table) -> tuple[int, int]:
    """Writes the index and its directory after the records; where the directory begins, and its size in bytes."""
    blocks = index.combine_chunks().to_batches(max_chunksize=BLOCK_SEGMENTS)
    directory = np.zeros(len(blocks) + 1, _DIRECTORY)
    for number, block in enumerate(blocks):
        directory[number] = (block.column("hash_first")[0].as_py(), file.tell())
        file.write(block.serialize())
    directory[-1] = (np.iinfo(np.uint64).max, file.tell())
    file.write(directory.tobytes())
    return int(directory[-1]["offset_bytes"]), directory.nbytes


def index_blocks(staging: StagingArea, run: Run, low: int, high: int | None, at_once: int) -> Iterator[pa.RecordBatch]:
    """The rows of the index whose hash begins with a word in [low, high), in order.

    Args:
        high: None for no upper bound.
        at_once: how many blocks to read at once.
    """
    assert run.path is not None
    directory = _read(staging, run.path, run.directory_offset, run.directory_bytes).view(_DIRECTORY)
    first_words = directory["hash_first"][:-1]
    begin = max(int(np.searchsorted(first_words, np.uint64(low), side="left")) - 1, 0)
    end = len(first_words) if high is None else int(np.searchsorted(first_words, np.uint64(high), side="left"))
    for start in range(begin, end, at_once):
        stop = min(start + at_once, end)
        ends = directory["offset_bytes"][start : stop + 1]
        data = pa.py_buffer(_read(staging, run.path, int(ends[0]), int(ends[-1] - ends[0])))
        for a, b in zip((ends[:-1] - ends[0]).tolist(), (ends[1:] - ends[0]).tolist(), strict=True):
            block = pa.ipc.read_record_batch(data.slice(a, b - a), INDEX_SCHEMA)
            yield _trimmed(block, low, high)


def _read(staging: StagingArea, path: str, offset: int, length: int) -> np.ndarray:
    data = np.empty(length, np.uint8)
    staging.read_into(path, offset, data)
    return data


def _trimmed(block: pa.RecordBatch, low: int, high: int | None) -> pa.RecordBatch:
    words = block.column("hash_first").to_numpy()
    start = int(np.searchsorted(words, np.uint64(low), side="left"))
    end = len(words) if high is None else int(np.searchsorted(words, np.uint64(high), side="left"))
    return block.slice(start, end - start)
