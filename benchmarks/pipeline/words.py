"""Text of words: fast, the same for the same seed, and about as compressible as a page of prose."""

from __future__ import annotations

import functools

import numpy as np
import pyarrow as pa

from groupstream.binary import binary_array

_VOCABULARY = 20_000
_PAGE_WORDS = 4_000_000  # about 26 MB: a slice of it rarely comes twice within what a compressor looks back
_LETTERS = np.frombuffer(b"etaoinshrdlcumwfgypbvk", np.uint8)  # by how often English uses them


def texts(draw: np.random.Generator, count: int, mean_bytes: int) -> pa.LargeStringArray:
    """`count` texts that begin with a word; their lengths are even between half and one and a half of `mean_bytes`."""
    page, starts = _page()
    lengths = draw.integers(mean_bytes // 2, mean_bytes + mean_bytes // 2 + 1, count)
    first = starts[draw.integers(0, np.searchsorted(starts, len(page) - lengths.max()), count)]
    data = np.empty(lengths.sum(), np.uint8)
    end = 0
    for start, length in zip(first.tolist(), lengths.tolist(), strict=True):
        data[end : end + length] = page[start : start + length]
        end += length
    return binary_array(data, lengths).cast(pa.large_string())


@functools.cache
def _page() -> tuple[np.ndarray, np.ndarray]:
    """uint8[about 26 M], words and spaces; int64[_PAGE_WORDS], where each word begins."""
    draw = np.random.default_rng(0)
    lengths = draw.integers(2, 11, _VOCABULARY)
    shares = 1 / np.arange(1, len(_LETTERS) + 1) ** 0.5
    words = draw.choice(_LETTERS, lengths.sum(), p=shares / shares.sum())
    ranks = np.floor(_VOCABULARY ** draw.random(_PAGE_WORDS)).astype(np.int64) - 1  # how often a word is used: 1 / rank
    spaced = np.full(lengths.sum() + _VOCABULARY, ord(" "), np.uint8)
    ends = np.cumsum(lengths + 1)
    spaced[np.setdiff1d(np.arange(len(spaced)), ends - 1, assume_unique=True)] = words
    page = binary_array(spaced, lengths + 1).take(pa.array(ranks))
    starts = np.cumsum(lengths[ranks] + 1) - lengths[ranks] - 1
    return np.frombuffer(page.buffers()[2], np.uint8, int(starts[-1] + lengths[ranks[-1]] + 1)), starts
