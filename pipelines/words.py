"""Counting words."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from groupstream.binary import byte_offsets, data_of

_IS_SPACE = np.zeros(256, bool)
_IS_SPACE[[9, 10, 11, 12, 13, 32]] = True


def count_words(texts: pa.Array) -> np.ndarray:
    r"""int64[len(texts)]: runs of bytes between ASCII white space, as `len(text.split())` for ASCII. Null counts 0.

    >>> count_words(pa.array(["one two", "", None, " three\n"])).tolist()
    [2, 0, 0, 1]
    """
    values = texts.cast(pa.large_binary()).fill_null(b"")
    starts = byte_offsets(values)
    starts = starts - starts[0]
    in_word = ~_IS_SPACE[np.frombuffer(data_of(values), np.uint8)]
    begins = in_word.copy()
    begins[1:] &= ~in_word[:-1]
    first = starts[:-1][starts[:-1] < starts[1:]]
    begins[first] = in_word[first]
    counted = np.concatenate([[0], np.cumsum(begins)])
    return np.diff(counted[starts])
