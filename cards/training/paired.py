"""Which of two algorithms has the lower loss: compared group by group, as chance alone would rarely have it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cards.training.reported import Reported
from groupstream.label_skew import Floats

LEVEL = 0.01
"""How often chance alone may put one ahead. It is below the usual 0.05, as a report compares several times."""

MIN_GROUPS = math.ceil(1 - math.log2(LEVEL))
"""8: with fewer, chance alone gives one of the two the lower loss in every group more often than `LEVEL`."""


class Pairs(NamedTuple):
    """Two algorithms in the same groups and seeds at some moment.

    Attributes:
        num_groups: that both have in some seed.
        num_lower: in how many of them the first, and in how many the second, has the lower loss, as mean over seeds.
        signs: by seed, that of the median difference, first minus second; 0 where there is none.
        num_unpaired: losses in groups and seeds that only one of the two has; these are not compared.
    """

    num_groups: int
    num_lower: tuple[int, int]
    signs: tuple[int, ...]
    num_unpaired: int = 0

    @property
    def is_too_few(self) -> bool:
        """Whatever the losses are, nobody could be ahead."""
        return self.num_groups < MIN_GROUPS

    @property
    def is_chance(self) -> bool:
        """Whether such a difference comes of chance more often than `LEVEL`."""
        return sign_test(*self.num_lower) > LEVEL

    @property
    def sign(self) -> int:
        """Less than 0 where the first has the lower loss in more groups, greater where the second has."""
        return self.num_lower[1] - self.num_lower[0]

    @property
    def do_seeds_agree(self) -> bool:
        """Whether the median difference is the same way round in each of several seeds."""
        return len(self.signs) == 1 or all(sign * self.sign > 0 for sign in self.signs)


def pair_losses(first: Sequence[Reported], second: Sequence[Reported], moment: str) -> Pairs:
    """Pairs the losses of two algorithms by group and seed.

    A NaN is worse than any number, and two of them are alike; a mean over seeds is NaN where one of them is.

    Args:
        first: of all seeds.
        second: likewise.
        moment: before or after.
    """
    tables = [_losses(of, moment) for of in (first, second)]
    keys = ["group_id", "seed"]
    both = tables[0].join(tables[1], keys, join_type="inner", right_suffix="_of_second", use_threads=False)
    both = both.sort_by([(key, "ascending") for key in keys])  # a join has no order, and a sum depends on it
    means = both.group_by("group_id", use_threads=False).aggregate([("loss", "mean"), ("loss_of_second", "mean")])
    over_seeds = _differences(means["loss_mean"].to_numpy(), means["loss_of_second_mean"].to_numpy())
    of_seeds = [both.filter(pc.equal(both["seed"], seed)) for seed in sorted(both["seed"].unique().to_pylist())]
    return Pairs(
        num_groups=len(means),
        num_lower=(int((over_seeds < 0).sum()), int((over_seeds > 0).sum())),
        signs=tuple(
            _median_sign(_differences(*(one[n].to_numpy() for n in both.column_names[2:]))) for one in of_seeds
        ),
        num_unpaired=sum(map(len, tables)) - 2 * len(both),
    )


def _losses(reported: Sequence[Reported], moment: str) -> pa.Table:
    ids = pa.chunked_array([chunk for one in reported for chunk in one.group_ids.chunks], pa.binary())
    seeds = [np.full(len(one.group_ids), one.seed, np.int64) for one in reported]
    losses = [getattr(one, moment)["loss"] for one in reported]
    return pa.table([ids, np.concatenate(seeds), np.concatenate(losses)], names=["group_id", "seed", "loss"])


def _differences(first: Floats, second: Floats) -> Floats:
    """float64[num_groups]: first minus second, with no NaN.

    >>> _differences(np.array([1.0, np.nan, 1.0, np.nan]), np.array([3.0, 3.0, np.nan, np.nan])).tolist()
    [-2.0, inf, -inf, 0.0]
    """
    bad = np.isnan(first), np.isnan(second)
    return np.select([bad[0] & bad[1], *bad], [0.0, math.inf, -math.inf], first - second)


def _median_sign(differences: Floats) -> int:
    """-1, 0 or 1.

    >>> [_median_sign(np.array(v)) for v in ([-3.0, -1.0, 5.0], [-math.inf, math.inf], [1.0, math.inf])]
    [-1, 0, 1]
    """
    middle = median(differences.tolist())
    return (middle > 0) - (middle < 0)


def sign_test(num_lower: int, num_higher: int) -> float:
    """How often chance alone splits so many groups at least as unevenly, either way; from 0 to 1.

    Groups in which two algorithms are alike are left out before. It asks nothing of how losses are distributed, and
    only which is lower: so a NaN, which is worse than any number, counts like any other loss.

    >>> [round(sign_test(*counts), 4) for counts in ((0, 8), (7, 0), (15, 35), (5, 5), (0, 0))]
    [0.0078, 0.0156, 0.0066, 1.0, 1.0]

    Source: Dixon and Mood 1946, "The statistical sign test", Journal of the American Statistical Association 41(236);
        two-sided and exact. The binomial coefficients are logarithms, as those of 100,000 groups fit no float.
    """
    count = num_lower + num_higher
    logs = math.lgamma(count + 1) - count * math.log(2)
    tail = (
        math.exp(logs - math.lgamma(k + 1) - math.lgamma(count - k + 1)) for k in range(min(num_lower, num_higher) + 1)
    )
    return min(1.0, 2 * math.fsum(tail))
