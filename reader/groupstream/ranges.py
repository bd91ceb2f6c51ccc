"""Many ranges of many files at once: those that lie near each other in one request, requests side by side."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from groupstream.stored import local_path, missing_file, read_stored
from groupstream.stores import Store

_LOCAL_GAP_BYTES = 4 << 10  # what is read and thrown away rather than asking again
_REMOTE_GAP_BYTES = 64 << 10
_MAX_RUN_BYTES = 8 << 20  # neighbours are not put together beyond this, so that memory stays bounded
_REQUESTS_AT_ONCE = 16


class _Run(NamedTuple):
    """Ranges of one file that are read together: their numbers, and the bytes from the first to the last."""

    path: str
    members: np.ndarray
    start: int
    length: int


def read_ranges(
    store: Store, paths: Sequence[str], files: np.ndarray, starts: np.ndarray, lengths: np.ndarray
) -> list[bytes]:
    """The bytes of each range, in the order that is asked for; fewer where a file ends.

    Args:
        paths: of files in the store.
        files: int[num_ranges], for each range the number of its file in `paths`.
        starts: int64[num_ranges], offsets in the file.
        lengths: int64[num_ranges], bytes.

    Raises:
        CorruptError: a file is missing.
    """
    is_local = local_path(store, paths[int(files[0])]) is not None
    runs = _runs(paths, files, starts, lengths, _LOCAL_GAP_BYTES if is_local else _REMOTE_GAP_BYTES)
    found: list[bytes] = [b""] * len(starts)

    def cut(run: _Run, data: bytes) -> None:
        for i, start, length in zip(*(a[run.members].tolist() for a in (order, starts, lengths)), strict=True):
            found[i] = data[start - run.start : start - run.start + length]

    order = np.arange(len(starts))
    if is_local:
        for run, data in _read_local(store, runs):
            cut(run, data)
    else:
        with ThreadPoolExecutor(min(_REQUESTS_AT_ONCE, len(runs)), "groupstream-range") as pool:
            list(pool.map(lambda run: cut(run, read_stored(store, run.path, run.start, run.length)), runs))
    return found


def _runs(
    paths: Sequence[str], files: np.ndarray, starts: np.ndarray, lengths: np.ndarray, gap_bytes: int
) -> list[_Run]:
    order = np.lexsort((starts, files))
    files, starts, ends = files[order], starts[order], (starts + lengths)[order]
    apart = (np.diff(files) != 0) | (starts[1:] - ends[:-1] > gap_bytes)
    pieces = np.concatenate([[0], np.flatnonzero(apart) + 1, [len(order)]]).tolist()
    runs = []
    for first, last in itertools.pairwise(pieces):
        while first < last:
            stop = max(
                first + 1, int(np.searchsorted(ends[first:last], starts[first] + _MAX_RUN_BYTES, "right")) + first
            )
            start, end = int(starts[first]), int(ends[first:stop].max())
            runs.append(_Run(paths[int(files[first])], order[first:stop], start, end - start))
            first = stop
    return runs


def _read_local(store: Store, runs: list[_Run]) -> Iterator[tuple[_Run, bytes]]:
    """Opens each file once: the runs of a file follow each other."""
    for path, of_file in itertools.groupby(runs, key=lambda run: run.path):
        try:
            with open(local_path(store, path) or path, "rb") as file:
                for run in of_file:
                    file.seek(run.start)
                    yield run, file.read(run.length)
        except FileNotFoundError as error:
            raise missing_file(store, path) from error
