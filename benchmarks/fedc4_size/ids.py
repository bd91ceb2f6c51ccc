"""Ids of groups like domains: of one length, all different, as compressible."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from groupstream.binary import fixed_width_binary

_LETTERS = 11  # before the ending; they hold 36 bits of chance
_ENDING = np.frombuffer(b".com", np.uint8)
_MASK = np.uint64((1 << 36) - 1)
_ODD = np.uint64(0x9E3779B97F4A7C15)  # a multiplication by it leaves no two numbers the same


def group_ids(numbers: np.ndarray) -> pa.LargeBinaryArray:
    """The id of each number below 2^36.

    >>> group_ids(np.array([1, 2])).to_pylist()
    [b'fgwivkclaaa.com', b'kmspqvefaaa.com']
    """
    drawn = (numbers.astype(np.uint64) * _ODD) & _MASK
    letters = [drawn // np.uint64(26**place) % np.uint64(26) + np.uint64(ord("a")) for place in range(_LETTERS)]
    ending = np.broadcast_to(_ENDING, (len(numbers), len(_ENDING)))
    return fixed_width_binary(np.hstack([np.stack(letters, 1).astype(np.uint8), ending]))
