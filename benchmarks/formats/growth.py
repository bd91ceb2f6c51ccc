"""How time grows with the number of examples: the exponent of a power of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.formats.runs import Case


@dataclass(frozen=True)
class Growth:
    """Of one format, or of another thing that takes time.

    Attributes:
        exponent: the slope of log seconds over log examples, by least squares; 1 is a straight line through the origin,
            less where a cost that is the same for every size outweighs the rest.
        last_exponent: between the two largest sizes.
        num_examples: of the sizes that were measured.
    """

    exponent: float
    last_exponent: float
    num_examples: tuple[int, ...]


def growth_of(cases: Sequence[Case]) -> dict[str, Growth]:
    """Of each format that was measured at two sizes or more, by its name."""
    points: dict[str, list[tuple[int, float]]] = {}
    for case in cases:
        if case.runs:
            points.setdefault(case.format.name, []).append((case.size.num_examples, case.seconds))
    return {name: fitted(sorted(found)) for name, found in points.items() if len(found) > 1}


def fitted(points: Sequence[tuple[int, float]]) -> Growth:
    """Of a count and its seconds, at two counts or more, ascending."""
    logs = np.log(points)
    return Growth(_slope(logs), _slope(logs[-2:]), tuple(count for count, _ in points))


def _slope(logs: np.ndarray) -> float:
    return float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0])
