"""A whole group in one tf.train.SequenceExample, as Dataset Grouper 0.3.0 writes it.

One feature list, whose steps each hold one serialised tf.train.Example:

    SequenceExample = 12 len FeatureLists;  FeatureLists = 0a len Entry;  Entry = 0a 10 "serialized_bytes", 12 len Steps
    Steps = (0a len Feature)*;  Feature = 0a len BytesList;  BytesList = 0a len Example

Source: dataset_grouper/serialization.py. It writes exactly these bytes, so nothing else is understood here.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa

from groupstream.binary import (
    binary_array_at,
    byte_lengths,
    byte_offsets,
    data_of,
    gather,
    joined,
    varint_widths,
    varints,
)
from groupstream.errors import CorruptError

HEAD_BYTES = 64  # more than what stands before the first step

_FIELD, _FEATURE_LISTS, _VALUE = 0x0A, 0x12, 0x12
_KEY_FIELD = b"\x0a\x10serialized_bytes"
_STEP_DEPTH = 3  # messages around an Example
_MAX_VARINT_BYTES = 10


def encode_groups(records: pa.LargeBinaryArray, bounds: np.ndarray) -> pa.LargeBinaryArray:
    """One SequenceExample a group.

    Args:
        records: serialised tf.train.Examples.
        bounds: int64[num_groups + 1]; group i has the records from bounds[i] to bounds[i + 1].
    """
    steps = encode_steps(records)
    bodies = binary_array_at(data_of(steps), byte_offsets(steps)[bounds])
    return joined(encode_heads(byte_lengths(bodies)), bodies)


def encode_steps(records: pa.LargeBinaryArray) -> pa.LargeBinaryArray:
    """One step a record."""
    for _ in range(_STEP_DEPTH):
        records = joined(b"\x0a", varints(byte_lengths(records)), records)
    return records


def step_lengths(lengths: np.ndarray) -> np.ndarray:
    """int64[num_records]: the bytes of the step of a record of each length."""
    for _ in range(_STEP_DEPTH):
        lengths = 1 + varint_widths(lengths) + lengths
    return lengths


def encode_heads(body_lengths: np.ndarray) -> pa.LargeBinaryArray:
    """What stands before steps of so many bytes."""
    head = joined(_KEY_FIELD + bytes([_VALUE]), varints(body_lengths))
    for tag in (_FIELD, _FEATURE_LISTS):
        head = joined(bytes([tag]), varints(byte_lengths(head) + body_lengths), head)
    return head


def split_groups(groups: pa.LargeBinaryArray, where: str) -> tuple[pa.LargeBinaryArray, np.ndarray]:
    """The records of all groups, and the bounds of each group among them: the inverse of `encode_groups`.

    Raises:
        CorruptError: something else than such groups.
    """
    data = memoryview(groups.buffers()[2] or b"").cast("B")  # Arrow's bytes are signed
    offsets = byte_offsets(groups).tolist()
    borders: list[int] = []
    bounds = [0]
    for start, end in itertools.pairwise(offsets):
        borders += _find_records(data, find_steps(data, start, end, where), end, where)[0]
        bounds.append(len(borders) // 2)
    return _cut(groups.buffers()[2], borders), np.array(bounds, np.int64)


def find_steps(data: bytes | memoryview, position: int, end: int, where: str) -> int:
    """Where the steps of the group begin that lies at `position` and ends at `end`, maybe after the end of `data`.

    Raises:
        CorruptError: it is no such group.
    """
    for tag in (_FEATURE_LISTS, _FIELD):
        position = _enter(data, position, end, tag, where)
    if data[position : position + len(_KEY_FIELD)] != _KEY_FIELD:
        raise CorruptError(_not_a_group(where, position))
    return _enter(data, position + len(_KEY_FIELD), end, _VALUE, where)


def iter_records(
    read: Callable[[int, int], bytes], start: int, end: int, where: str, block_bytes: int
) -> Iterator[pa.LargeBinaryArray]:
    """The records of the steps from `start` to `end`, a block at a time; a longer one is read whole.

    Args:
        read: `read(offset, length)` gives these bytes.
    """
    position, want = start, block_bytes
    while position < end:
        block = read(position, min(want, end - position))
        borders, after = _find_records(memoryview(block), 0, end - position, where)
        if after:
            yield _cut(pa.py_buffer(block), borders)
            position, want = position + after, block_bytes
        elif len(block) < min(want, end - position):
            raise CorruptError(f"{where} became shorter while it was read. Read it again")
        else:
            want = max(2 * want, _MAX_VARINT_BYTES)


def _find_records(data: memoryview, position: int, end: int, where: str) -> tuple[list[int], int]:
    """Start and end, in turn, of each record whose step is whole in `data`; where the last of these steps ends."""
    borders: list[int] = []
    size = len(data)
    while (position < end and position + _MAX_VARINT_BYTES < size) or position < end <= size:
        length, content = _length(data, position, where)
        after = content + length
        if after > end:
            raise CorruptError(_not_a_group(where, position))
        if after > size:
            break
        for _ in range(_STEP_DEPTH - 1):
            length, content = _length(data, content, where)
            if content + length != after:
                raise CorruptError(_not_a_group(where, content))
        borders += (content, after)
        position = after
    return borders, position


def _enter(data: bytes | memoryview, position: int, end: int, tag: int, where: str) -> int:
    """The position of the content of a field that should stand there and end at `end`."""
    length, content = _length(data, position, where, tag)
    if content + length != end:
        raise CorruptError(_not_a_group(where, position))
    return content


def _length(data: bytes | memoryview, position: int, where: str, tag: int = _FIELD) -> tuple[int, int]:
    """The length that a field states, and where its content begins."""
    try:
        if data[position] == tag:
            length = data[position + 1]
            if length < 0x80:
                return length, position + 2
            length &= 0x7F
            for byte in range(1, _MAX_VARINT_BYTES):
                more = data[position + 1 + byte]
                length |= (more & 0x7F) << 7 * byte
                if more < 0x80:
                    return length, position + 2 + byte
    except IndexError:
        pass
    raise CorruptError(_not_a_group(where, position))


def _cut(data: pa.Buffer, borders: list[int]) -> pa.LargeBinaryArray:
    positions = np.array(borders, np.int64)
    return gather(data, positions[::2], positions[1::2])


def _not_a_group(where: str, position: int) -> str:
    return (
        f"{where}: what stands at +{position} is not part of a group as Dataset Grouper 0.3.0 writes it; "
        "is this a shard of its own, or one of plain examples?"
    )
