"""Finding the features of many tf.train.Examples at once: the lock-step walk.

One cursor a record. All cursors take the same step together: read a tag, read a varint, compare a key. So a batch of
records costs a few NumPy operations for each feature, not a parser call for each record. Records of one writer have
the same features, mostly in the same order; where the order differs, a step handles each key that it meets.

The walk understands what writers write. Whatever else protobuf allows (unknown fields, a value before its key, an
Example that is cut short) raises `IrregularError`, and the caller parses these records one by one.

The wire format stands in `encoding`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from groupstream.binary import byte_offsets, words_of

_FEATURES, _ENTRY, _KEY, _VALUE = 0x0A, 0x0A, 0x0A, 0x12
_MAX_ENTRIES = 1 << 12  # in a record; more are parsed instead: the walk takes one of each record a step
_MAX_KEYS = 64  # that stand in the same place of different records; more are parsed instead


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
    active, cursors, ends = only(offsets[:-1] < offsets[1:], np.arange(len(records)), offsets[:-1], offsets[1:])
    while len(active):  # the field `features` of the Example, which may stand there more than once
        positions, stops = enter(data, cursors, ends, _FEATURES)
        _walk_entries(data, active, positions, stops, found, len(records))
        active, cursors, ends = only(stops < ends, active, stops, ends)
    return found


def only(mask: np.ndarray, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    """Each array where `mask` is true. No copy where that is everywhere."""
    return arrays if mask.all() else tuple(array[mask] for array in arrays)


def enter(data: np.ndarray, positions: np.ndarray, limits: np.ndarray, tag: int) -> tuple[np.ndarray, np.ndarray]:
    """Reads a tag and the length that follows it; where its content begins and ends.

    Raises:
        IrregularError: another field stands there, or the content goes past the limits.
    """
    try:
        if (data[positions] != tag).any():
            raise IrregularError
        lengths, starts = read_varints(data, positions + 1)
    except IndexError as error:  # the data ends
        raise IrregularError from error
    ends = starts + lengths
    if (ends > limits).any():
        raise IrregularError
    return starts, ends


def read_varints(data: np.ndarray, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Reads one varint, of less than 2**62, at each position; the numbers, and the positions after them.

    Raises:
        IrregularError: a varint is a number that no length can be.
        IndexError: a varint goes past the end of the data.
    """
    byte = data[positions]
    numbers, after = byte.astype(np.int64), positions + 1
    (reading,) = (byte >= 0x80).nonzero()
    for shift in range(7, 63, 7):
        if not len(reading):
            return numbers, after
        byte = data[after[reading]]
        numbers[reading] += (byte.astype(np.int64) - 1) << shift  # less the bit that says that this byte follows
        after[reading] += 1
        reading = reading[byte >= 0x80]
    raise IrregularError


def _walk_entries(
    data: np.ndarray,
    records: np.ndarray,
    positions: np.ndarray,
    stops: np.ndarray,
    found: dict[str, Spans],
    num_records: int,
) -> None:
    """Goes through the map entries of a Features message, one of each record at a step."""
    for _ in range(_MAX_ENTRIES):
        records, positions, stops = only(positions < stops, records, positions, stops)
        if not len(records):
            return
        starts, ends = enter(data, positions, stops, _ENTRY)
        key_starts, key_ends = enter(data, starts, ends, _KEY)
        value_starts, value_ends = enter(data, key_ends, ends, _VALUE)
        if (value_ends != ends).any():
            raise IrregularError
        for name, mine in _by_key(data, key_starts, key_ends):
            _note(found, name, records[mine], value_starts[mine], value_ends[mine], num_records)
        positions = ends
    raise IrregularError


def _note(
    found: dict[str, Spans], name: str, records: np.ndarray, starts: np.ndarray, ends: np.ndarray, num_records: int
) -> None:
    if len(records) == num_records:
        found[name] = Spans(starts, ends, np.ones(num_records, bool))
        return
    spans = found.setdefault(name, no_spans(num_records))
    spans.starts[records], spans.ends[records], spans.is_there[records] = starts, ends, True


def _by_key(data: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> list[tuple[str, np.ndarray | slice]]:
    """The distinct keys, and which of the ranges hold each."""
    equal = _equal(data, starts, ends)
    if equal.all():
        return [(_text(data[starts[0] : ends[0]]), slice(None))]
    keys: list[tuple[str, np.ndarray | slice]] = []
    left = np.arange(len(starts))
    while len(left):
        if len(keys) == _MAX_KEYS:
            raise IrregularError
        keys.append((_text(data[starts[left[0]] : ends[left[0]]]), left[equal]))
        left = left[~equal]
        equal = _equal(data, starts[left], ends[left])
    return keys


def _equal(data: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Which ranges hold the same bytes as the first of them. They are compared a number at a time."""
    if not len(starts):
        return np.zeros(0, bool)
    length = int(ends[0] - starts[0])
    equal = ends - starts == length
    candidates = starts if equal.all() else np.where(equal, starts, starts[0])
    offset = 0
    while offset < length:
        width = next(w for w in (8, 4, 2, 1) if offset + w <= length)
        numbers = words_of(data, f"<u{width}")[candidates + offset]
        equal &= numbers == numbers[0]
        offset += width
    return equal


def _text(key: np.ndarray) -> str:
    try:
        return key.tobytes().decode()
    except UnicodeDecodeError as error:
        raise IrregularError from error
