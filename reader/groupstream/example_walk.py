"""Finding the features of many tf.train.Examples at once: the lock-step walk.

One cursor a record. All cursors take the same step together: read a tag, read a varint, compare a key. So a batch of
records costs a few NumPy operations for each feature, not a parser call for each record. Records of one writer have
the same features, mostly in the same order; where the order differs, a step handles each key that it meets.

The walk understands what writers write. Whatever else protobuf allows (unknown fields, a value before its key, an
Example that is cut short) raises `IrregularError`, and the caller parses these records one by one.

The wire format stands in `example_encoding`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from groupstream.binary import byte_offsets

_FEATURES, _ENTRY, _KEY, _VALUE = 0x0A, 0x0A, 0x0A, 0x12


class IrregularError(Exception):
    """These records are not what the walk understands. They may be valid all the same."""


class Spans(NamedTuple):
    """A range of bytes for each record.

    Attributes:
        starts: int64[num_records], positions in the data.
        ends: int64[num_records].
        is_there: bool[num_records]; where it is false, the record has no such range.
    """

    starts: np.ndarray
    ends: np.ndarray
    is_there: np.ndarray


def no_spans(num_records: int) -> Spans:
    """No range in any record."""
    return Spans(np.zeros(num_records, np.int64), np.zeros(num_records, np.int64), np.zeros(num_records, bool))


def bytes_of(records: pa.LargeBinaryArray) -> np.ndarray:
    """uint8[...]: the data that the positions of a walk refer to. No copy."""
    return np.frombuffer(records.buffers()[2] or b"", np.uint8)


def find_features(records: pa.LargeBinaryArray) -> dict[str, Spans]:
    """Where the Feature message of each feature lies in each record.

    Of a feature that is there twice, the last counts: as protobuf merges maps.

    Raises:
        IrregularError: the records must be parsed one by one.
    """
    data, offsets = bytes_of(records), byte_offsets(records)
    found: dict[str, Spans] = {}
    cursors, ends = offsets[:-1].copy(), offsets[1:]
    active = np.flatnonzero(cursors < ends)
    while len(active):  # the field `features` of the Example, which may stand there more than once
        positions, stops = enter(data, cursors[active], ends[active], _FEATURES)
        _walk_entries(data, active, positions, stops, found, len(records))
        cursors[active] = stops
        active = active[stops < ends[active]]
    return found


def enter(data: np.ndarray, positions: np.ndarray, limits: np.ndarray, tag: int) -> tuple[np.ndarray, np.ndarray]:
    """Reads a tag and the length that follows it; where its content begins and ends.

    Raises:
        IrregularError: another field stands there, or the content goes past the limits.
    """
    if (positions >= limits).any() or (data[positions] != tag).any():
        raise IrregularError
    lengths, starts = read_varints(data, positions + 1, limits)
    ends = starts + lengths
    if (ends > limits).any():
        raise IrregularError
    return starts, ends


def read_varints(data: np.ndarray, positions: np.ndarray, limits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Reads one varint, of less than 2**62, at each position; the numbers, and the positions after them.

    Raises:
        IrregularError: a varint goes past its limit, or is a number that no length can be.
    """
    numbers = np.zeros(len(positions), np.int64)
    after = positions.copy()
    reading = np.arange(len(positions))
    for shift in range(0, 63, 7):
        at = after[reading]
        if (at >= limits[reading]).any():
            raise IrregularError
        byte = data[at]
        numbers[reading] |= (byte & 0x7F).astype(np.int64) << shift
        after[reading] += 1
        reading = reading[byte >= 0x80]
        if not len(reading):
            break
    if len(reading) or (numbers < 0).any() or (numbers >= 1 << 62).any():
        raise IrregularError
    return numbers, after


def _walk_entries(
    data: np.ndarray,
    records: np.ndarray,
    positions: np.ndarray,
    stops: np.ndarray,
    found: dict[str, Spans],
    num_records: int,
) -> None:
    """Goes through the map entries of a Features message, one of each record at a step."""
    going = positions < stops
    while going.any():
        records, positions, stops = records[going], positions[going], stops[going]
        starts, ends = enter(data, positions, stops, _ENTRY)
        key_starts, key_ends = enter(data, starts, ends, _KEY)
        value_starts, value_ends = enter(data, key_ends, ends, _VALUE)
        if (value_ends != ends).any():
            raise IrregularError
        for name, mine in _by_key(data, key_starts, key_ends):
            spans = found.get(name)
            if spans is None:
                spans = found[name] = no_spans(num_records)
            where = records[mine]
            spans.starts[where], spans.ends[where], spans.is_there[where] = value_starts[mine], value_ends[mine], True
        positions = ends
        going = positions < stops


def _by_key(data: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """The distinct keys, and which of the ranges hold each."""
    keys = []
    left = np.arange(len(starts))
    while len(left):
        start, end = int(starts[left[0]]), int(ends[left[0]])
        same = (ends - starts)[left] == end - start
        candidates = left[same]
        key = data[start:end]
        equal = (data[starts[candidates, None] + np.arange(end - start)] == key).all(axis=1)
        mine = candidates[equal]
        keys.append((_text(key), mine))
        if len(mine) == len(left):
            break
        left = np.setdiff1d(left, mine, assume_unique=True)
    return keys


def _text(key: np.ndarray) -> str:
    try:
        return key.tobytes().decode()
    except UnicodeDecodeError as error:
        raise IrregularError from error
