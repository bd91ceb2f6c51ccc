"""CRC32C: of what is about to be written, and of a whole of which only the parts were summed."""

from __future__ import annotations

import base64
import functools
from collections.abc import Iterable
from pathlib import Path

import google_crc32c

_POLYNOMIAL = 0x82F63B78  # of CRC-32C, its lowest power in the highest bit
_ONE = 1 << 31
_BLOCK_BYTES = 4 << 20


def crc32c_of(source: bytes | Path) -> str:
    """Eight hexadecimal digits, as manifests have them. A file is read once.

    >>> crc32c_of(b"123456789")
    'e3069283'
    """
    if isinstance(source, bytes):
        return f"{google_crc32c.value(source):08x}"
    crc = 0
    with open(source, "rb") as file:
        while block := file.read(_BLOCK_BYTES):
            crc = google_crc32c.extend(crc, block)
    return f"{crc:08x}"


def as_base64(crc32c: str) -> str:
    """As clouds write it: base64 of its four bytes, the highest first.

    >>> as_base64("e3069283")
    '4waSgw=='
    """
    return base64.b64encode(bytes.fromhex(crc32c)).decode()


def from_base64(text: str) -> str:
    """The opposite.

    >>> from_base64("4waSgw==")
    'e3069283'
    """
    return base64.b64decode(text).hex()


def crc32c_of_parts(parts: Iterable[tuple[int, int]]) -> str:
    """Of the whole, out of the CRC32C and the length of each part, in order. No byte is read again.

    What is in front of n more bytes is multiplied by x to the 8n, modulo the polynomial.

    Source: crc32_combine of zlib, with the other polynomial.

    >>> crc32c_of_parts([(google_crc32c.value(b"1234"), 4), (google_crc32c.value(b"56789"), 5)])
    'e3069283'
    """
    whole = 0
    for crc, num_bytes in parts:
        whole = _multiply(_power(num_bytes), whole) ^ crc
    return f"{whole:08x}"


def _multiply(a: int, b: int) -> int:
    """The product of two polynomials over GF(2), modulo that of CRC-32C."""
    product, bit = 0, _ONE
    while a:
        if a & bit:
            product ^= b
            a ^= bit
        bit >>= 1
        b = (b >> 1) ^ (_POLYNOMIAL if b & 1 else 0)
    return product


@functools.lru_cache(64)
def _power(num_bytes: int) -> int:
    """The polynomial x to the power of 8 * num_bytes, by repeated squares."""
    power, square, rest = _ONE, 1 << 23, num_bytes  # 1, and x to the 8
    while rest:
        if rest & 1:
            power = _multiply(power, square)
        square, rest = _multiply(square, square), rest >> 1
    return power
