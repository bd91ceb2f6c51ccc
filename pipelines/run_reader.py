"""Reads the records of segments out of runs, in the order of the segments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa

from groupstream.binary import binary_array, data_of, integers
from pipelines.run_file import Run
from pipelines.segments import MapReads
from pipelines.staging import StagingArea

_CONNECTIONS = 16  # to a bucket, where what a read costs is waiting


def chunks(lengths: np.ndarray, chunk_bytes: int) -> Iterator[slice]:
    """Ranges of segments of at most `chunk_bytes` together, or of one segment that is longer."""
    ends = np.cumsum(lengths)
    start = 0
    while start < len(lengths):
        before = ends[start - 1] if start else 0
        end = max(start + 1, int(np.searchsorted(ends, before + chunk_bytes, side="right")))
        yield slice(start, end)
        start = end


class RunReader:
    """Reads records of runs: one range after the other from a disk, many at once from a bucket."""

    def __init__(self, staging: StagingArea, runs: Sequence[Run]) -> None:
        self._staging = staging
        self._paths = [str(run.path) for run in runs]
        self._threads = ThreadPoolExecutor(_CONNECTIONS, "groupstream-merge")  # none is started before it is used
        self.map_reads: MapReads = map if staging.folder else self._threads.map

    def __enter__(self) -> RunReader:
        return self

    def __exit__(self, *error: object) -> None:
        self._threads.shutdown(cancel_futures=True)

    def blocks(self, segments: pa.Table, wanted: np.ndarray, block_bytes: int) -> Iterator[pa.Buffer | np.ndarray]:
        """The bytes of the wanted ones of consecutive segments, in order.

        Args:
            segments: a chunk: all segments of a range of groups.
            wanted: bool[num_segments]. Of a run the bytes between two wanted segments are read as well: they are few.
        """
        if not wanted.any():
            return
        runs, offsets, lengths = (segments[name].to_numpy() for name in ("run", "offset_bytes", "length_bytes"))
        if len(segments) == 1:
            yield from self._range_blocks(int(runs[0]), int(offsets[0]), int(lengths[0]), block_bytes)
            return
        by_run = np.argsort(runs, kind="stable")
        data = self._read_ranges(runs[by_run], offsets[by_run], lengths[by_run])
        place = np.empty(len(by_run), np.int64)
        place[by_run] = np.arange(len(by_run))
        place = place[wanted]
        if len(place) == len(by_run) and (place == np.arange(len(place))).all():  # of one run, or in their order
            yield data
            return
        yield data_of(binary_array(data, lengths[by_run]).take(integers(place)))

    def read(self, run: int, offset: int, length: int) -> np.ndarray:
        """A range of a run: uint8[length]."""
        data = np.empty(length, np.uint8)
        self._staging.read_into(self._paths[run], offset, data)
        return data

    def _read_ranges(self, runs: np.ndarray, offsets: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """The bytes of segments that stand run by run; those of a run are one range."""
        ends = np.cumsum(lengths)
        data = np.empty(int(ends[-1]), np.uint8)
        first = np.flatnonzero(np.concatenate([[True], runs[1:] != runs[:-1]])).tolist()
        reads = []
        for start, stop in zip(first, [*first[1:], len(runs)], strict=True):
            buffer = data[int(ends[start] - lengths[start]) : int(ends[stop - 1])]
            reads.append((self._paths[runs[start]], int(offsets[start]), buffer))
        list(self.map_reads(lambda read: self._staging.read_into(*read), reads))
        return data

    def _range_blocks(self, run: int, offset: int, length: int, block_bytes: int) -> Iterator[np.ndarray]:
        for start in range(0, length, block_bytes):
            yield self.read(run, offset + start, min(block_bytes, length - start))
