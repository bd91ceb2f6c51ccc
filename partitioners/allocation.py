"""How many examples of each label every group gets, when each group has a mixture of labels of its own."""

from __future__ import annotations

import numpy as np

_BLOCK = 1 << 20  # draws held at once


def allocate(
    sizes: np.ndarray, totals: np.ndarray, concentration: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Draws a mixture of labels for each group, and its examples by that mixture without replacement.

    A label that is exhausted is taken out of the mixture, and what is still to be drawn follows the rest of it. Shares
    are kept as logarithms: with a tiny concentration those of all labels but one are below the smallest float64, and
    yet say which comes next. About 15 us a group and 50 ns a group and label.

    Args:
        sizes: int64[num_groups], how many examples each group is to have; they sum to at most that of `totals`.
        totals: int64[num_labels], how many examples each label has.
        concentration: float64[num_labels], above 0: the parameter of the Dirichlet distribution of a mixture.
        generator: of the draws.

    Returns:
        int32[num_groups, num_labels]: each row sums to the size, each column to the total or less.
    """
    taken = np.zeros((len(sizes), len(totals)), np.int32)
    left = totals.astype(np.int64)
    step = max(1, _BLOCK // len(totals))
    for start in range(0, len(sizes), step):
        block = slice(start, start + step)
        logs = _log_gammas(concentration, len(sizes[block]), generator)
        for row, (size, log_shares) in enumerate(zip(sizes[block].tolist(), logs, strict=True), start):
            _take(taken[row], size, log_shares, left, generator)
    return taken


def _take(
    taken: np.ndarray, size: int, log_shares: np.ndarray, left: np.ndarray, generator: np.random.Generator
) -> None:
    while size:  # each turn but the last exhausts a label
        open_labels = np.flatnonzero(left)
        logs = log_shares[open_labels]
        shares = np.exp(logs - logs.max())
        drawn = np.minimum(generator.multinomial(size, shares / shares.sum()), left[open_labels])
        taken[open_labels] += drawn.astype(np.int32)
        left[open_labels] -= drawn
        size -= int(drawn.sum())


def _log_gammas(shapes: np.ndarray, num_rows: int, generator: np.random.Generator) -> np.ndarray:
    """float64[num_rows, num_labels]: logarithms of gamma variables, which are a Dirichlet variable but for their sum.

    Source: G(a) = G(a + 1) U^(1/a), Marsaglia and Tsang, "A simple method for generating gamma variables", 2000.
    """
    size = (num_rows, len(shapes))
    return np.log(generator.standard_gamma(shapes + 1, size)) - generator.standard_exponential(size) / shapes
