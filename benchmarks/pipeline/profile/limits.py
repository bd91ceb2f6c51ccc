"""What a build cannot be faster than, on the bytes of one that was built: each alone, on one core."""

from __future__ import annotations

import glob
import gzip
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import google_crc32c
import numpy as np
import pyarrow as pa
import pyarrow.json
import pyarrow.parquet as pq

ARROW = "source, by Arrow"
FLOOR = "one of each"
DISK = ("disk, written", "disk, read")
MUST = ("gunzip", ARROW, "one copy in memory", "CRC32C", "SHA-256")  # what `FLOOR` adds up
ABOUT = {
    "gunzip": "the files of the source, by Python's gzip",
    ARROW: "the files of the source to Arrow columns, by Arrow alone; of lines, without gzip",
    "one copy in memory": "the shards, into memory that is there",
    "CRC32C": "of the shards, 16 MiB at a time",
    "SHA-256": "the same",
    FLOOR: "all these, one after the other: what any build does at least",
    "Python `for`": "each example as a Python dict, the length of its text added up",
    DISK[0]: "the shards, until the disk has them (fsync)",
    DISK[1]: "the same, after the system has forgotten them",
}
_BLOCK_BYTES = 16 << 20

Blocks = Sequence[np.ndarray]
T = TypeVar("T")


def measure(paths: Sequence[str], shards: Sequence[Path], folder: Path, *, has_disk: bool = True) -> dict[str, float]:
    """Seconds of each.

    Args:
        paths: of the source.
        folder: on the disk that is meant.
    """
    blocks = [np.frombuffer(block, np.uint8) for path in shards for block in _blocks(path)]
    files = sorted(found for path in paths for found in glob.glob(path))
    seconds: dict[str, float] = {}
    decode: Callable[[str], Iterator[pa.RecordBatch]] = _decode
    if files[0].endswith(".gz"):
        seconds["gunzip"], contents = _timed(lambda: dict(zip(files, map(_gunzip, files), strict=True)))
        decode = partial(_parse, contents)
    seconds[ARROW], _ = _timed(lambda: [_run_through(decode(file)) for file in files])
    target = np.zeros(_BLOCK_BYTES, np.uint8)
    seconds["one copy in memory"], _ = _timed(lambda: _copy(blocks, target))
    seconds["CRC32C"], _ = _timed(lambda: [google_crc32c.value(block) for block in blocks])
    seconds["SHA-256"], _ = _timed(lambda: [hashlib.sha256(block.data).digest() for block in blocks])
    seconds[FLOOR] = sum(seconds.get(name, 0.0) for name in MUST)
    batches = (batch for file in files for batch in decode(file))
    seconds["Python `for`"] = sum(_timed(partial(_loop, batch))[0] for batch in batches)
    if has_disk:
        seconds |= zip(DISK, _disk(blocks, folder), strict=True)
    return seconds


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def _blocks(path: Path) -> Iterator[bytes]:
    with open(path, "rb") as file:
        while block := file.read(_BLOCK_BYTES):
            yield block


def _gunzip(file: str) -> bytes:
    with gzip.open(file) as opened:
        return opened.read()


def _parse(contents: Mapping[str, bytes], file: str) -> Iterator[pa.RecordBatch]:
    options = pa.json.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES)
    yield from pa.json.open_json(pa.BufferReader(contents[file]), options)


def _decode(file: str) -> Iterator[pa.RecordBatch]:
    yield from pq.ParquetFile(file, pre_buffer=False).iter_batches(use_threads=False)


def _run_through(batches: Iterator[pa.RecordBatch]) -> int:
    """Keeps none: memory that is new each time costs more than decoding."""
    return sum(len(batch) for batch in batches)


def _copy(blocks: Blocks, target: np.ndarray) -> None:
    for block in blocks:
        target[: len(block)] = block


def _loop(batch: pa.RecordBatch) -> int:
    total = 0
    for example in batch.to_pylist():
        total += len(example["text"])
    return total


def _disk(blocks: Blocks, folder: Path) -> tuple[float, float]:
    """Of writing and of reading."""
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        written, _ = _timed(lambda: _write(file.fileno(), blocks))
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        os.lseek(file.fileno(), 0, os.SEEK_SET)
        read, _ = _timed(lambda: _read(file.fileno()))
    return written, read


def _write(file: int, blocks: Blocks) -> None:
    for block in blocks:
        view = block.data
        while len(view):
            view = view[os.write(file, view) :]
    os.fsync(file)


def _read(file: int) -> None:
    while os.read(file, _BLOCK_BYTES):
        pass
