"""Masks with a bit for each byte of a text: what is asked of millions of bytes is then answered 64 at a time.

A mask of n bytes has n // 64 + 1 words of 64 bits, the first byte in the lowest bit of the first word; what is behind
the last byte is zero. So two masks of the same bytes are combined with & and |, and one is taken away with & ~.
"""

from __future__ import annotations

import numpy as np

_WORD_BITS = 64
_ONE = np.uint64(1)


def packed(mask: np.ndarray) -> np.ndarray:
    """uint64[n // 64 + 1] of bool[n]."""
    words = np.zeros((len(mask) // _WORD_BITS + 1) * 8, np.uint8)
    bits = np.packbits(mask, bitorder="little")
    words[: len(bits)] = bits
    return words.view("<u8")


def marked(length: int, positions: np.ndarray) -> np.ndarray:
    """The mask of `length` bytes that is set at some positions, which are unique and ascending."""
    bits = np.zeros(length // _WORD_BITS + 1, "<u8")
    np.bitwise_or.at(bits, positions // _WORD_BITS, _bit_at(positions))
    return bits


def positions_of(bits: np.ndarray) -> np.ndarray:
    """int64[number of set bits], ascending. Cheap where few are set."""
    (words,) = bits.nonzero()
    set_bits = np.flatnonzero(np.unpackbits(bits[words].view(np.uint8), bitorder="little"))
    return np.asarray(words[set_bits // _WORD_BITS] * _WORD_BITS + set_bits % _WORD_BITS)


def counts_before(bits: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """int64[len(positions)]: how many of the bits before each position are set."""
    counted = np.concatenate([[0], np.cumsum(np.bitwise_count(bits), dtype=np.int64)])
    words = positions // _WORD_BITS
    return counted[words] + np.bitwise_count(bits[words] & (_bit_at(positions) - _ONE))


def at_or_after(bits: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """int64[len(positions)]: the first set bit at or after each position; where there is none, one behind the mask."""
    padded = np.append(bits, ~np.uint64(0))
    index = np.arange(len(padded))
    following = np.minimum.accumulate(np.where(padded != 0, index, len(bits))[::-1])[::-1]
    words = positions // _WORD_BITS
    here = padded[words] & ~(_bit_at(positions) - _ONE)
    words = np.where(here != 0, words, following[words + 1])
    rest = np.where(here != 0, here, padded[words])
    return words * _WORD_BITS + np.bitwise_count((rest & (~rest + _ONE)) - _ONE)


def last_before(bits: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """int64[len(positions)]: the last set bit before each position, -1 where there is none."""
    which = counts_before(bits, positions) - 1  # of the set bits
    counted = np.cumsum(np.bitwise_count(bits), dtype=np.int64)
    words = np.searchsorted(counted, which, side="right")
    words = np.where(which >= 0, words, 0)
    ends = np.minimum(positions, (words + 1) * _WORD_BITS) - words * _WORD_BITS  # 1 to 64, bits of the word to look at
    below = bits[words] & (~np.uint64(0) >> (_WORD_BITS - np.maximum(ends, 1)).astype(np.uint64))
    highest = _highest_bit(below)
    return np.where(which >= 0, words * _WORD_BITS + highest, -1)


def shifted(bits: np.ndarray, by: int = 1) -> np.ndarray:
    """Each bit moved to `by` bytes later. What would come to stand behind the mask may be set in its last word."""
    words, rest = divmod(by, _WORD_BITS)
    moved = np.zeros_like(bits)
    if words < len(bits):
        moved[words:] = bits[: len(bits) - words] << np.uint64(rest)
        if rest:
            moved[words + 1 :] |= bits[: len(bits) - words - 1] >> np.uint64(_WORD_BITS - rest)
    return moved


def after_runs(bits: np.ndarray, length: int) -> np.ndarray:
    """Set where a bit and the `length - 1` bits before it are all set. Takes log2(length) steps."""
    done = 1
    while done < length:
        step = min(done, length - done)
        bits = bits & shifted(bits, step)
        done += step
    return bits


def _bit_at(positions: np.ndarray) -> np.ndarray:
    return _ONE << (positions % _WORD_BITS).astype(np.uint64)


def _highest_bit(words: np.ndarray) -> np.ndarray:
    """int64[...]: the index of the highest set bit of each word, which is not 0."""
    for step in (1, 2, 4, 8, 16, 32):
        words = words | words >> np.uint64(step)
    return np.bitwise_count(words).astype(np.int64) - 1
