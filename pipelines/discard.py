"""Giving back the room that runs take, as they are merged: the disk never holds much more than the examples twice.

Also faster: what is written next to a new file goes into memory that is in use already.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from groupstream.group_order import shard_bounds
from pipelines.run_file import Run, index_blocks
from pipelines.staging import StagingArea

_KEEP_SIZE, _PUNCH_HOLE = 1, 2  # of linux/falloc.h
_BLOCKS_AT_ONCE = 64


def discard_shard(staging: StagingArea, runs: Sequence[Run], split: str, shard_index: int, num_shards: int) -> None:
    """Frees the records of a shard in all runs. It must be finished and described: they cannot be read again.

    Does nothing in a bucket, and where the file system cannot free a part of a file.
    """
    if staging.folder is None:
        return
    bounds = [0, *shard_bounds(num_shards).tolist()]
    low, high = bounds[shard_index], bounds[shard_index + 1] if shard_index + 1 < num_shards else None
    for run in runs:
        if run.split != split or run.path is None:
            continue
        start = end = 0
        for block in index_blocks(staging, run, low, high, _BLOCKS_AT_ONCE):
            if len(block):
                offsets, lengths = (block.column(name) for name in ("offset_bytes", "length_bytes"))
                start = start if end else offsets[0].as_py()
                end = offsets[-1].as_py() + lengths[-1].as_py()
        if end:
            with suppress(OSError):
                free_range(staging.folder / run.path, start, end - start)


def free_range(file: Path, offset: int, length: int) -> None:
    """Makes a hole in a file: its size stays, the whole pages of the range read as zeros and take no room.

    Raises:
        OSError: this file system, or this system, has no such call.
    """
    if sys.platform != "linux":
        raise OSError("no holes can be made in files on this system")
    libc = ctypes.CDLL(None, use_errno=True)
    handle = os.open(file, os.O_RDWR)
    try:
        size = ctypes.c_int64
        if libc.fallocate64(handle, _KEEP_SIZE | _PUNCH_HOLE, size(offset), size(length)):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        os.close(handle)
