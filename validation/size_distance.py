"""How far two distributions of group sizes are from one another."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SizeDistance:
    """The distance of Kolmogorov and Smirnov: the largest difference between the shares of groups up to a size.

    Attributes:
        distance: 0.0 where both are the same, 1.0 where all groups of one are smaller than all of the other, or only
            one has groups. The float that is nearest to the exact fraction.
        size: the smallest number of examples at which the difference is the largest.
        share_before, share_after: of the groups that have at most so many examples.
    """

    distance: float
    size: int
    share_before: float
    share_after: float


def size_distance(before: Mapping[int, int], after: Mapping[int, int]) -> SizeDistance:
    """Compares two distributions of sizes, exactly.

    Args:
        before, after: how many groups have each size. There are few different sizes: of so many examples as n, about
            the square root of 2 n at most.

    Source: N. Smirnov, "Table for estimating the goodness of fit of empirical distributions", 1948; the statistic only.
    """
    num_before, num_after = sum(before.values()), sum(after.values())
    if not num_before or not num_after:
        return SizeDistance(float(num_before != num_after), 0, 0.0, 0.0)
    sizes = sorted(before.keys() | after.keys())
    old, new = (list(itertools.accumulate(side.get(size, 0) for size in sizes)) for side in (before, after))
    # Both shares times num_before * num_after: whole numbers, so that a distance of exactly the limit is not above it.
    apart = [abs(up_to_old * num_after - up_to_new * num_before) for up_to_old, up_to_new in zip(old, new, strict=True)]
    at = max(range(len(sizes)), key=apart.__getitem__)
    return SizeDistance(
        distance=apart[at] / (num_before * num_after),
        size=sizes[at],
        share_before=old[at] / num_before,
        share_after=new[at] / num_after,
    )


def counting_sizes(parts: Iterable[np.ndarray], counts: Counter[int]) -> Iterator[np.ndarray]:
    """The same parts of a group table; on the way, `counts` gets how many groups have how many examples."""
    for part in parts:
        sizes, groups = np.unique(part["examples"], return_counts=True)
        counts.update(dict(zip(sizes.tolist(), groups.tolist(), strict=True)))
        yield part
