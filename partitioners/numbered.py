"""The ids of groups that have numbers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa


def numbered(groups: np.ndarray, num_groups: int) -> pa.Array:
    """The number of each example's group as its id: decimal, padded with zeros, so that ids sort as numbers.

    >>> numbered(np.array([7, 0, -1, 10]), num_groups=11).to_pylist()
    [b'07', b'00', None, b'10']

    Args:
        groups: int64[num_examples], in [0, num_groups); below or above where an example has no group.
        num_groups: how many there are, which determines the width.

    Returns:
        binary[num_examples].
    """
    some, places = np.unique(groups, return_inverse=True)
    width = len(str(num_groups - 1))
    names = [f"{number:0{width}d}".encode() if 0 <= number < num_groups else None for number in some.tolist()]
    return pa.array(names, pa.binary()).take(pa.array(places.reshape(-1)))
