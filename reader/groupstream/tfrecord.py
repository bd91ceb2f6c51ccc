"""TFRecord framing, for many records at once.

A record on disk is

    uint64 length | uint32 masked_crc32c(length) | length bytes | uint32 masked_crc32c(bytes)

all little-endian. Source: tensorflow/core/lib/io/record_writer.h.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import google_crc32c
import numpy as np
import pyarrow as pa

from groupstream.binary import byte_lengths, data_of, fixed_width_binary, gather, joined, words_at, words_of
from groupstream.errors import CorruptError

HEADER_BYTES = 12
FOOTER_BYTES = 4
OVERHEAD_BYTES = HEADER_BYTES + FOOTER_BYTES

_LENGTH = "<u8"
_LENGTH_AT = struct.Struct("<Q")
_CRC = "<u4"
_GAP = np.dtype([("crc", _CRC), ("reset", "V12")])  # as long as the footer of a record and the header of the next
_LONG_BYTES = 4096  # of an average record: from there on a call for each costs less than the copy of all
_VIEWED_BYTES = 512  # of an average record: from there on a view of each costs less than a copy
_POLYNOMIAL = 0x82F63B78  # of CRC32C, reflected


class Frames(NamedTuple):
    """Where the records of a block of bytes lie.

    Attributes:
        starts: int64[num_records], position of each record's first byte, after its header.
        lengths: int64[num_records].
        end: position after the last whole frame.
    """

    starts: np.ndarray
    lengths: np.ndarray
    end: int


def frame_records(records: pa.LargeBinaryArray, *more: pa.LargeBinaryArray) -> pa.LargeBinaryArray:
    """Frames each record. The result's data buffer is what goes to disk, in order. Copies the bytes once.

    Args:
        more: what follows in each record, as further parts of it.
    """
    lengths = np.sum([byte_lengths(part) for part in (records, *more)], axis=0).astype(_LENGTH)
    header = np.empty((len(records), HEADER_BYTES), np.uint8)
    header[:, :8] = lengths.view(np.uint8).reshape(-1, 8)
    header[:, 8:] = _masked(_crc32c_of_lengths(lengths)).view(np.uint8).reshape(-1, 4)
    crcs = crc32c_of_each(_values(records))
    for part in more:
        crcs = np.fromiter(map(google_crc32c.extend, crcs.tolist(), part.to_pylist()), np.uint32)
    return joined(fixed_width_binary(header), records, *more, fixed_width_binary(_masked(crcs)))


def _values(records: pa.LargeBinaryArray) -> Iterable[bytes | np.ndarray]:
    """The bytes of each record; of long ones a view."""
    lengths = byte_lengths(records)
    if lengths.sum() < _VIEWED_BYTES * len(records) or not len(records):
        return records.to_pylist()
    return _slices(np.frombuffer(data_of(records), np.uint8), np.cumsum(lengths) - lengths, np.cumsum(lengths))


def find_frames(block: bytes, start: int = 0) -> Frames:
    """Finds the whole records in `block` from `start` on; a cut last one is left to the next block."""
    ends = np.fromiter(_frame_ends(block, start), np.int64)  # no list: it costs more than the reading does
    if not len(ends):
        return Frames(ends, ends, start)
    starts = np.append(start, ends[:-1]) + HEADER_BYTES
    return Frames(starts, ends - FOOTER_BYTES - starts, int(ends[-1]))


def _frame_ends(block: bytes, position: int) -> Iterator[int]:
    length_at = _LENGTH_AT.unpack_from
    size = len(block)
    last = size - OVERHEAD_BYTES
    while position <= last:
        position += OVERHEAD_BYTES + length_at(block, position)[0]
        if position > size:
            return
        yield position


def unframe(block: bytes, where: str) -> pa.LargeBinaryArray:
    """The records of `block`, all CRCs checked.

    Args:
        block: whole frames and nothing else.
        where: names the block in errors, such as "train-00000-of-00001.tfrecord, byte 0".

    Raises:
        CorruptError: a cut record, or a CRC that does not match.
    """
    frames = find_frames(block)
    if frames.end != len(block):
        raise CorruptError(_cut_record(where, frames.end, len(block)))
    return _checked_records(block, frames, where)


def iter_record_blocks(
    read: Callable[[int, int], bytes], start: int, length: int, where: str, block_bytes: int = 4 << 20
) -> Iterator[pa.LargeBinaryArray]:
    """Yields the records of a byte range a block at a time, so that memory is bounded by a block or one record.

    Args:
        read: `read(offset, length)` gives these bytes; fewer only at the end of the file.
        start: offset of the first frame.
        length: bytes in the range.
        where: names the file in errors.
        block_bytes: how much to read at once; a longer record is read whole.
    """
    block_bytes = max(block_bytes, OVERHEAD_BYTES)
    position, end, want = start, start + length, block_bytes
    while position < end:
        asked = min(want, end - position)
        block = read(position, asked)
        frames = find_frames(block)
        if frames.end == 0:
            if len(block) < asked:  # the file ends here
                raise CorruptError(_cut_record(f"{where}, byte {position}", 0, len(block)))
            want = _bytes_of_first_frame(block, f"{where}, byte {position}", end - position)
            continue
        yield _checked_records(block, frames, f"{where}, byte {position}")
        position, want = position + frames.end, block_bytes


def crc32c_of_each(values: Iterable[bytes | np.ndarray]) -> np.ndarray:
    """uint32[number of values]: the CRC32C of each value, unmasked."""
    return np.fromiter(map(google_crc32c.value, values), np.uint32)


def _checked_records(block: bytes, frames: Frames, where: str) -> pa.LargeBinaryArray:
    if len(frames.starts):
        _check_lengths(block, frames, where)
        _check_records(block, frames, where)
    return gather(pa.py_buffer(block), frames.starts, frames.starts + frames.lengths)


def _check_lengths(block: bytes, frames: Frames, where: str) -> None:
    stored = words_at(block, frames.starts - FOOTER_BYTES, _CRC)
    bad = stored != _masked(_crc32c_of_lengths(frames.lengths.astype(_LENGTH)))
    if bad.any():
        raise CorruptError(_wrong_crc(where, "length", int(frames.starts[bad][0]) - HEADER_BYTES))


def _check_records(block: bytes, frames: Frames, where: str) -> None:
    """Checks short records with one CRC for all, and one by one only to name the first that is wrong."""
    starts, ends = frames.starts, frames.starts + frames.lengths
    stored = words_at(block, ends, _CRC)
    if frames.end < _LONG_BYTES * len(ends) and _together_they_match(block, frames.end, ends, stored):
        return
    each = crc32c_of_each(_slices(np.frombuffer(block, np.uint8), starts, ends))
    bad = stored != _masked(each)
    if bad.any():
        raise CorruptError(_wrong_crc(where, "data", int(starts[bad][0]) - HEADER_BYTES))


def _slices(data: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> Iterator[np.ndarray]:
    return (data[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True))


def _together_they_match(block: bytes, size: int, ends: np.ndarray, stored: np.ndarray) -> bool:
    """Whether every record of the whole frames `block[:size]` has its stored CRC.

    What lies between two records is replaced, in a copy, by the CRC of the first and 12 bytes more. After a record
    and its right CRC, the register of a CRC is the same whatever the record was, and the 12 bytes take it back to
    where it began. So the CRC of the whole copy is that of no bytes, 0, if all are right. The step from register to
    register is one-to-one: what is wrong in one record leaves a wrong register at the end, and what is wrong in
    several does with a chance of 1 - 2^-32, as in a CRC of its own.
    """
    gaps = np.empty(len(ends), _GAP)
    gaps["crc"], gaps["reset"] = _unmasked(stored), np.frombuffer(_reset(), "V12")
    copy = np.empty(size, np.uint8)
    copy[:-HEADER_BYTES] = np.frombuffer(block, np.uint8, size - HEADER_BYTES, HEADER_BYTES)
    words_of(copy, "V16")[ends - HEADER_BYTES] = gaps.view("V16")
    return int(google_crc32c.value(copy)) == 0


@functools.cache
def _reset() -> bytes:
    """12 bytes that bring the register to where it began, after a record and its CRC."""
    wanted = register = 0xFFFFFFFF
    for _ in range(32):  # the register from which four bytes of zero lead to the wanted one
        odd = register >> 31
        register = ((register ^ (_POLYNOMIAL * odd)) << 1 | odd) & 0xFFFFFFFF
    after_crc_and_zeros = google_crc32c.value(bytes(4 + 8)) ^ wanted
    return bytes(8) + (after_crc_and_zeros ^ register).to_bytes(4, "little")


def _bytes_of_first_frame(block: bytes, where: str, available: int) -> int:
    """How much to read so that the first frame is whole. Its length is checked before it is believed."""
    if len(block) < OVERHEAD_BYTES:
        raise CorruptError(_cut_record(where, 0, available))
    length = np.frombuffer(block, _LENGTH, 1)
    if _masked(_crc32c_of_lengths(length)) != np.frombuffer(block, _CRC, 1, 8):
        raise CorruptError(_wrong_crc(where, "length", 0))
    needed = int(length[0]) + OVERHEAD_BYTES
    if needed > available:
        raise CorruptError(_cut_record(where, 0, available))
    return needed


def _masked(crc: np.ndarray) -> np.ndarray:
    """TFRecord's mask: rotate right by 15 bits and add a constant."""
    crc = crc.astype(np.uint32)
    return (((crc >> np.uint32(15)) | (crc << np.uint32(17))) + np.uint32(0xA282EAD8)).astype(_CRC)


def _unmasked(crc: np.ndarray) -> np.ndarray:
    crc = crc.astype(np.uint32) - np.uint32(0xA282EAD8)
    return (crc << np.uint32(15)) | (crc >> np.uint32(17))


def _crc32c_of_lengths(lengths: np.ndarray) -> np.ndarray:
    """CRC32C of each 8-byte length. A CRC is affine: it is the exclusive-or of one table entry a byte."""
    zero, tables = _length_crc_tables()
    columns = lengths.view(np.uint8).reshape(-1, 8)
    crc = np.full(len(lengths), zero, np.uint32)
    for position in range(8):
        crc ^= tables[position, columns[:, position]]
    return crc


@functools.cache
def _length_crc_tables() -> tuple[np.uint32, np.ndarray]:
    zero = google_crc32c.value(bytes(8))
    table = np.empty((8, 256), np.uint32)  # (byte position, byte value)
    for position in range(8):
        for value in range(256):
            message = bytes(position) + bytes([value]) + bytes(7 - position)
            table[position, value] = google_crc32c.value(message) ^ zero
    return np.uint32(zero), table


def _cut_record(where: str, position: int, size: int) -> str:
    return (
        f"{where}: the record at +{position} is cut short at +{size}; the file is truncated or not a TFRecord file. "
        "Pull it again, or check the version with: groupstream verify REF"
    )


def _wrong_crc(where: str, what: str, position: int) -> str:
    return (
        f"{where}: the CRC of the {what} of the record at +{position} does not match its bytes. "
        "Pull it again, or check the version with: groupstream verify REF"
    )
