"""Which group each example gets, when every group is to have a share of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def bounds_of(shares: np.ndarray) -> np.ndarray:
    """float64[num_groups]: where in [0, 1] each group ends, for `choose`. Shares need not sum to 1."""
    ends = np.cumsum(shares, dtype=np.float64)
    return ends / ends[-1]  # the last is exactly 1, and so is each before it whose followers have no share


def choose(bounds: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """int64[num_examples]: the group of each draw in [0, 1); num_groups where it is NaN.

    A group is given to as many examples as its share says, in expectation; there is no telling how many exactly.
    """
    return np.searchsorted(bounds, draws, side="right")


def choose_by_code(codes: np.ndarray, draws: np.ndarray, bounds: Callable[[int], np.ndarray]) -> np.ndarray:
    """int64[num_examples]: the same, where the shares of an example follow its code; -1 for negative codes.

    Args:
        codes: int64[num_examples], such as positions in a list of labels.
        draws: float64[num_examples].
        bounds: gives those of a code; asked once for each code that occurs.
    """
    groups = np.full(len(codes), -1)
    order = np.argsort(codes, kind="stable")
    found, starts = np.unique(codes[order], return_index=True)
    for code, start, end in zip(found.tolist(), starts, np.append(starts[1:], len(codes)), strict=False):
        if code >= 0:
            examples = order[start:end]
            groups[examples] = choose(bounds(code), draws[examples])
    return groups


def dirichlet(alpha: float, num_groups: int, generator: np.random.Generator) -> np.ndarray:
    """float64[num_groups]: shares ~ Dirichlet(alpha, ..., alpha), which sum to 1, for any alpha above 0.

    Gamma variables are drawn as logarithms: with a small alpha all of them would round to 0, and a share to 0 / 0.

    Source: G(a) = G(a + 1) U^(1/a), Marsaglia and Tsang, "A simple method for generating gamma variables", 2000.
    """
    gammas = np.log(generator.standard_gamma(alpha + 1, num_groups))
    with np.errstate(over="ignore"):  # a share of 0
        logs = _below_largest(alpha * gammas - generator.standard_exponential(num_groups)) / alpha
    shares = np.exp(_below_largest(logs))
    return shares / shares.sum()


def _below_largest(values: np.ndarray) -> np.ndarray:
    return values - values.max()
