"""Counting words."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from groupstream.binary import byte_offsets, data_of

_BITS = 64


def count_words(texts: pa.Array) -> np.ndarray:
    r"""int64[len(texts)]: runs of bytes between ASCII white space, as `len(text.split())` for ASCII. Null counts 0.

    About 1 GB/s.

    >>> count_words(pa.array(["one two", "", None, " three\n"])).tolist()
    [2, 0, 0, 1]
    """
    values = texts.cast(pa.large_binary()).fill_null(b"")
    offsets = byte_offsets(values)
    offsets = offsets - offsets[0]
    data = np.frombuffer(data_of(values), np.uint8)
    in_word = ~((data == 32) | (data - np.uint8(9) < 5))  # 9 to 13; what is less wraps to the far end
    begins = in_word.copy()
    begins[1:] &= ~in_word[:-1]
    first = offsets[:-1][offsets[:-1] < offsets[1:]]
    begins[first] = in_word[first]
    return np.diff(_counts_before(begins, offsets))


def _counts_before(flags: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """int64[len(positions)]: how many of `flags[:position]` are set; whole 64-bit words are counted at once."""
    packed = np.packbits(flags, bitorder="little")
    words = np.zeros(len(flags) // _BITS + 1, "<u8")
    words.view(np.uint8)[: len(packed)] = packed
    counted = np.concatenate([[0], np.cumsum(np.bitwise_count(words), dtype=np.int64)])
    rest = (np.uint64(1) << (positions % _BITS).astype(np.uint64)) - np.uint64(1)
    return counted[positions // _BITS] + np.bitwise_count(words[positions // _BITS] & rest)
