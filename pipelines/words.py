"""Counting words."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from groupstream.binary import byte_offsets, data_of

_BLOCK_BYTES = 1 << 16  # looked at together: what is made on the way stays in the cache of a core
_WORD_BITS = 64


def count_words(texts: pa.Array) -> np.ndarray:
    r"""int64[len(texts)]: runs of bytes between ASCII white space, as `len(text.split())` for ASCII. Null counts 0.

    About 2 GB/s.

    >>> count_words(pa.array(["one two", "", None, " three\n"])).tolist()
    [2, 0, 0, 1]
    """
    values = texts.cast(pa.large_binary()).fill_null(b"")
    offsets = byte_offsets(values)
    offsets = offsets - offsets[0]
    data = np.frombuffer(data_of(values), np.uint8)
    begins = _begins(data)
    first = offsets[:-1][offsets[:-1] < offsets[1:]]
    first = first[first > 0]
    at_once = first[_is_word(data[first]) & _is_word(data[first - 1])]  # a word begins, though no white space is before
    np.bitwise_or.at(begins, at_once // _WORD_BITS, np.uint64(1) << (at_once % _WORD_BITS).astype(np.uint64))
    return np.diff(_counts_before(begins, offsets))


def _is_word(data: np.ndarray) -> np.ndarray:
    """bool[len(data)]: whether a byte is not white space: space, or 9 to 13; what is less wraps to the far end."""
    return (data != 32) & (data - np.uint8(9) >= 5)


def _begins(data: np.ndarray) -> np.ndarray:
    """uint64[len(data) // 64 + 1]: a bit for each byte, set where a word begins after white space or at the start."""
    packed = np.zeros((len(data) // _WORD_BITS + 1) * 8, np.uint8)
    before = False
    for start in range(0, len(data), _BLOCK_BYTES):
        is_word = _is_word(data[start : start + _BLOCK_BYTES])
        begins = is_word.copy()
        begins[1:] &= ~is_word[:-1]
        begins[0] &= not before
        before = bool(is_word[-1])
        bits = np.packbits(begins, bitorder="little")
        packed[start // 8 : start // 8 + len(bits)] = bits
    return packed.view("<u8")


def _counts_before(bits: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """int64[len(positions)]: how many of the bits before each position are set."""
    counted = np.concatenate([[0], np.cumsum(np.bitwise_count(bits), dtype=np.int64)])
    words, rest = positions // _WORD_BITS, (positions % _WORD_BITS).astype(np.uint64)
    return counted[words] + np.bitwise_count(bits[words] & ((np.uint64(1) << rest) - np.uint64(1)))
