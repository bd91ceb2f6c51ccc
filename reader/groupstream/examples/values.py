"""The values of the features that the walk found: still on whole batches, still without a parser call a record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from groupstream.binary import data_of, gather, integers
from groupstream.examples.walk import (
    IrregularError,
    Spans,
    bytes_of,
    enter,
    find_features,
    no_spans,
    only,
    read_varints,
)

_MAX_STEPS = 1 << 12  # a list of more byte strings is parsed instead: the walk takes one of each record a step
_MAX_SHORT_VARINT = 8  # bytes: 56 bits
_ITEM, _PACKED = 0x0A, 0x0A  # the field `value` of every list
_LIST_TAGS = {"bytes_list": 0x0A, "float_list": 0x12, "int64_list": 0x1A}


class RawColumn(NamedTuple):
    """The values of a feature in each record of a batch, as they are stored.

    Attributes:
        items: large_binary, float32 or int64 without nulls: the values of all records together.
        counts: int64[num_records], how many of the items each record has.
        is_there: bool[num_records], whether the record has the feature at all.
    """

    items: pa.Array
    counts: np.ndarray
    is_there: np.ndarray


def walk_columns(records: pa.LargeBinaryArray, kinds: Mapping[str, str]) -> dict[str, RawColumn]:
    """The values of some features of serialised tf.train.Examples.

    Args:
        records: the Examples.
        kinds: by feature, "bytes_list", "float_list" or "int64_list".

    Raises:
        IrregularError: the records must be parsed one by one.
    """
    found = find_features(records) if len(records) else {}
    missing = no_spans(len(records))
    return {name: _read_values(records, found.get(name, missing), kind) for name, kind in kinds.items()}


def _read_values(records: pa.LargeBinaryArray, spans: Spans, kind: str) -> RawColumn:
    counts = np.zeros(len(records), np.int64)
    present, starts, ends = only(  # a Feature without any list has no byte
        spans.starts < spans.ends, np.arange(len(records)), spans.starts, spans.ends
    )
    starts, stops = enter(bytes_of(records), starts, ends, _LIST_TAGS[kind])
    if (stops != ends).any():
        raise IrregularError
    present, starts, ends = only(starts < stops, present, starts, stops)
    read = _read_byte_strings if kind == "bytes_list" else _read_floats if kind == "float_list" else _read_integers
    items, counts[present] = read(records, starts, ends)
    return RawColumn(items, counts, spans.is_there)


def _read_byte_strings(
    records: pa.LargeBinaryArray, positions: np.ndarray, limits: np.ndarray
) -> tuple[pa.Array, np.ndarray]:
    data = bytes_of(records)
    counts = np.zeros(len(positions), np.int64)
    active = np.arange(len(positions))
    found: list[tuple[np.ndarray, np.ndarray]] = []
    while len(active):
        if len(found) == _MAX_STEPS:
            raise IrregularError
        found.append(enter(data, positions, limits, _ITEM))
        counts[active] += 1
        positions = found[-1][1]
        active, positions, limits = only(positions < limits, active, positions, limits)
    if len(found) == 1:
        return gather(records.buffers()[2], *found[0]), counts
    starts, ends = (np.concatenate([f[i] for f in found]) if found else np.zeros(0, np.int64) for i in (0, 1))
    order = np.argsort(starts, kind="stable")  # records stand one after the other, so this is record by record
    return gather(records.buffers()[2], starts[order], ends[order]), counts


def _read_floats(
    records: pa.LargeBinaryArray, positions: np.ndarray, limits: np.ndarray
) -> tuple[pa.Array, np.ndarray]:
    starts, ends = _enter_packed(records, positions, limits)
    lengths = ends - starts
    if (lengths % 4).any():
        raise IrregularError
    packed = gather(records.buffers()[2], starts, ends)
    return pa.Array.from_buffers(pa.float32(), int(lengths.sum()) // 4, [None, data_of(packed)]), lengths // 4


def _read_integers(
    records: pa.LargeBinaryArray, positions: np.ndarray, limits: np.ndarray
) -> tuple[pa.Array, np.ndarray]:
    starts, ends = _enter_packed(records, positions, limits)
    numbers, counts = _one_varint_each(bytes_of(records), starts, ends) or _many_varints(records, starts, ends)
    return integers(numbers), counts


def _one_varint_each(data: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """The quick way for what most integers are: one in each record, and not negative, which takes ten bytes."""
    if len(starts) == 0 or (ends - starts).max() > _MAX_SHORT_VARINT:
        return None
    try:
        numbers, after = read_varints(data, starts)
    except IndexError as error:  # the data ends within the last one
        raise IrregularError from error
    return (numbers, np.ones(len(starts), np.int64)) if np.array_equal(after, ends) else None


def _many_varints(records: pa.LargeBinaryArray, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    packed = gather(records.buffers()[2], starts, ends)
    data = np.frombuffer(data_of(packed), np.uint8)
    is_last = data < 0x80
    list_ends = np.cumsum(ends - starts)
    if not is_last[list_ends - 1].all():
        raise IrregularError
    last = np.flatnonzero(is_last)
    first = np.concatenate([[0], last[:-1] + 1])[: len(last)]
    numbers = _decode_varints(data, first, last - first + 1)
    return numbers, np.diff(np.concatenate([[0], np.cumsum(is_last)[list_ends - 1]]))


def _decode_varints(data: np.ndarray, first: np.ndarray, widths: np.ndarray) -> np.ndarray:
    numbers = np.zeros(len(first), np.uint64)
    reading = np.arange(len(first))
    for byte in range(int(widths.max(initial=0))):
        if byte == 10:
            raise IrregularError
        reading = reading[widths[reading] > byte] if byte else reading
        numbers[reading] |= (data[first[reading] + byte] & 0x7F).astype(np.uint64) << np.uint64(7 * byte)
    return numbers


def _enter_packed(
    records: pa.LargeBinaryArray, positions: np.ndarray, limits: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where the content of the packed field of each list lies; a list that is not packed is irregular."""
    starts, ends = enter(bytes_of(records), positions, limits, _PACKED)
    if (ends != limits).any() or (starts == ends).any():
        raise IrregularError
    return starts, ends
