"""One TFRecord record that is too long to be held in memory: checked and written a block at a time."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import BinaryIO

import google_crc32c

from groupstream.errors import CorruptError
from groupstream.tfrecord import FOOTER_BYTES, HEADER_BYTES, OVERHEAD_BYTES

_MASK = 0xA282EAD8


def checked_length(header: bytes, available: int, where: str) -> int:
    """The length that the header of a record states. Its CRC is checked before it is believed.

    Args:
        header: the first bytes of the record, 12 or more.
        available: bytes from its first one to the end of the file.
        where: names the record in errors.

    Raises:
        CorruptError: the CRC does not match, or the file ends within the record.
    """
    if available >= OVERHEAD_BYTES:
        length, crc = struct.unpack_from("<QI", header)
        if crc != _masked(google_crc32c.value(header[:8])):
            raise CorruptError(f"{where}: the CRC of the length does not match; is this an undamaged TFRecord file?")
        if length + OVERHEAD_BYTES <= available:
            return int(length)
    raise CorruptError(f"{where}: the record is cut short by the end of the file; copy the file again")


def check_record(read: Callable[[int, int], bytes], position: int, length: int, where: str, block_bytes: int) -> None:
    """Reads a record and compares its CRC.

    Args:
        read: `read(offset, length)` gives these bytes.
        position: of its header.
        length: of what is in it.
        where: names the record in errors.
        block_bytes: how much is read at once.

    Raises:
        CorruptError: the CRC does not match.
    """
    crc, start, end = 0, position + HEADER_BYTES, position + HEADER_BYTES + length
    for offset in range(start, end, block_bytes):
        crc = google_crc32c.extend(crc, read(offset, min(block_bytes, end - offset)))
    if read(end, FOOTER_BYTES) != struct.pack("<I", _masked(crc)):
        raise CorruptError(f"{where}: the CRC of the record does not match its bytes; copy the file again")


def write_record(file: BinaryIO, length: int, parts: Iterable[bytes]) -> None:
    """Writes a record that consists of parts, of `length` bytes together."""
    header = struct.pack("<Q", length)
    file.write(header + struct.pack("<I", _masked(google_crc32c.value(header))))
    crc = 0
    for part in parts:
        crc = google_crc32c.extend(crc, part)
        file.write(part)
    file.write(struct.pack("<I", _masked(crc)))


def _masked(crc: int) -> int:
    """TFRecord's mask: rotate right by 15 bits and add a constant."""
    return ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF
