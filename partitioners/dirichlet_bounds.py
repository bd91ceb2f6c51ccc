"""The shares of groups that are drawn for each value of a feature, such as for each label."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from partitioners.draws import generator
from partitioners.shares import bounds_of, dirichlet

_CACHE_BYTES = 64 << 20


@functools.lru_cache(maxsize=2)
def dirichlet_bounds(alpha: float, num_groups: int, seed: int) -> Callable[[bytes], np.ndarray]:
    """What gives the bounds of a value's shares, for `shares.choose`; about 50 ns a group when they are not kept.

    They are a function of the seed and the value alone: what other values there are changes nothing, so no list of
    values is needed. Up to 64 MiB of them are kept in each process.
    """

    @functools.lru_cache(maxsize=max(1, _CACHE_BYTES // (8 * num_groups)))
    def bounds(value: bytes) -> np.ndarray:
        draws = generator(seed, f"shares of {value.decode('latin-1')}")
        return bounds_of(dirichlet(alpha, num_groups, draws))

    return bounds
