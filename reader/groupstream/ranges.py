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
    """Ranges of one file that are read together: `first` to `stop` in the order of places, from `start` on."""

    path: str
    first: int
    stop: int
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
    order = np.lexsort((starts, files))
    files, starts, lengths = files[order], starts[order], lengths[order]
    is_local = local_path(store, paths[int(files[0])]) is not None
    runs = _runs(paths, files, starts, lengths, _LOCAL_GAP_BYTES if is_local else _REMOTE_GAP_BYTES)
    found: list[bytes] = [b""] * len(order)
    places = list(zip(order.tolist(), starts.tolist(), lengths.tolist(), strict=True))

    def cut(run: _Run, data: bytes) -> None:
        for i, start, length in places[run.first : run.stop]:
            found[i] = data[start - run.start : start - run.start + length]

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
    """Cuts where the file changes, where a gap is too large, and where a run has become too long."""
    ends = starts + lengths
    apart = (np.diff(files) != 0) | (starts[1:] - ends[:-1] > gap_bytes)
    firsts = np.concatenate([[0], np.flatnonzero(apart) + 1])
    stops = np.append(firsts[1:], len(files))
    columns = firsts, stops, files[firsts], starts[firsts], np.maximum.reduceat(ends, firsts)
    runs = []
    for first, stop, file, start, end in zip(*(column.tolist() for column in columns), strict=True):
        if end - start > _MAX_RUN_BYTES and stop - first > 1:
            middle = (first + stop) // 2
            halves = (slice(first, middle), slice(middle, stop))
            for half in halves:
                below = _runs(paths, files[half], starts[half], lengths[half], gap_bytes)
                runs += [run._replace(first=run.first + half.start, stop=run.stop + half.start) for run in below]
        else:
            runs.append(_Run(paths[file], first, stop, start, end - start))
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
