"""What happened over the rounds, as lines: one for each seed, and their mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cards.training.tables import floats, order_algorithms
from groupstream.label_skew import Floats, Ints

MAX_POINTS = 300  # of a line
_ALL_POINTS = 3000  # of a picture, about
_LEAST_POINTS = 40


@dataclass(frozen=True)
class Curve:
    """The lines of an algorithm. Each point is the mean of some rounds in a row; it is NaN where one of them is.

    Attributes:
        across: float64[num_seeds, num_points]: rounds, or targets seen before them.
        up: float64[num_seeds, num_points].
        stops: the last points before a value that is there and not finite, one for each such seed.
        rounds_per_point: of how many rounds each point is the mean; the last may be of fewer.
    """

    algorithm: str
    across: Floats
    up: Floats
    stops: tuple[tuple[float, float], ...]
    rounds_per_point: int

    @property
    def mean(self) -> tuple[Floats, Floats]:
        """float64[num_points] each: over the seeds, as far as all have a number."""
        return self.across.mean(axis=0), self.up.mean(axis=0)

    @property
    def num_seeds(self) -> int:
        """How many lines there are."""
        return len(self.up)


def curves_of(
    rounds: pa.Table, values: Floats, over_targets: bool = False, max_points: int = MAX_POINTS
) -> list[Curve]:
    """The curves of all algorithms, in the order in which they are shown.

    Args:
        rounds: as `ROUNDS_SCHEMA`.
        values: float64[num_rows], what is drawn of each.
        over_targets: over the targets seen before a round, not over rounds.
        max_points: of a line.
    """
    num_points = min(max_points, points_of_line(rounds))
    found = []
    for algorithm in order_algorithms(rounds):
        is_ours = pc.equal(rounds["algorithm"], algorithm).to_numpy()
        found.append(_curve(algorithm, rounds.filter(pa.array(is_ours)), values[is_ours], over_targets, num_points))
    return found


def points_of_line(rounds: pa.Table) -> int:
    """How many points a line may have, so that a picture with all lines stays small."""
    num_lines = max(1, len(rounds.group_by(["algorithm", "seed"]).aggregate([])))
    return min(MAX_POINTS, max(_LEAST_POINTS, _ALL_POINTS // num_lines))


def _curve(algorithm: str, rounds: pa.Table, values: Floats, over_targets: bool, max_points: int) -> Curve:
    seeds, seed = np.unique(rounds["seed"].to_numpy(), return_inverse=True)
    numbers, place = np.unique(rounds["round"].to_numpy(), return_inverse=True)
    up = np.full((len(seeds), len(numbers)), np.nan)
    up[seed, place] = values
    is_there = np.zeros(up.shape, bool)
    is_there[seed, place] = True
    across = np.broadcast_to(numbers.astype(np.float64), up.shape)
    if over_targets:
        targets = np.zeros(up.shape)
        targets[seed, place] = np.nan_to_num(floats(rounds, "num_targets"))
        across = np.cumsum(targets, axis=1) - targets
    size = -(-len(numbers) // max_points)
    starts = np.arange(0, len(numbers), size)
    thin_across, thin_up = _means(across, starts), _means(up, starts)
    return Curve(algorithm, thin_across, thin_up, _stops(thin_across, thin_up, is_there, up, starts), size)


def _means(values: Floats, starts: Ints) -> Floats:
    """Of the columns from each start to the next."""
    lengths = np.diff(np.append(starts, values.shape[1]))
    return np.add.reduceat(values, starts, axis=1) / lengths


def _stops(across: Floats, up: Floats, is_there: np.ndarray, values: Floats, starts: Ints) -> tuple:
    """The last finite points before the first value of a seed that is there and not finite."""
    found = []
    for seed, bad in enumerate(is_there & np.isnan(values)):
        if bad.any() and (point := int(np.searchsorted(starts, bad.argmax(), "right")) - 2) >= 0:
            found.append((float(across[seed, point]), float(up[seed, point])))
    return tuple(found)
