"""Numbers of one scale: of very different sizes, one learning rate fits none of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from groupstream import ExampleError, GroupStream


@dataclass(frozen=True)
class Scale:
    """What is subtracted from each number of an example, and what it is divided by then.

    Attributes:
        means: float64, one for each number.
        deviations: float64, above 0.
    """

    means: tuple[float, ...]
    deviations: tuple[float, ...]

    def of(self, numbers: np.ndarray) -> np.ndarray:
        """float32[num_examples, num_numbers]; of those that were measured, mean 0 and variance 1.

        >>> Scale((1.0, 5.0), (2.0, 1.0)).of(np.array([[3.0, 5.0]])).tolist()
        [[1.0, 0.0]]
        """
        return ((numbers - np.array(self.means)) / np.array(self.deviations)).astype(np.float32)


def measure_scale(
    groups: GroupStream, names: Sequence[str], numbers_of: Callable[[pa.RecordBatch], np.ndarray]
) -> Scale:
    """Mean and standard deviation over all examples of some groups; a number that never changes is only centred.

    Reads these features of all of them, a block at a time.

    Source: Chan, Golub & LeVeque 1979, "Updating formulae and a pairwise algorithm for computing sample variances":
    blocks are combined without a difference of large sums.

    Args:
        numbers_of: a batch to its numbers, [num_examples, num_numbers].

    Raises:
        ExampleError: a number is NaN or infinite.
    """
    count, mean, squares = 0, np.zeros(1), np.zeros(1)
    for chunk in groups.select(*names).chunks():
        for block in filter(len, chunk.blocks()):
            numbers = numbers_of(block).astype(np.float64)
            _refuse_no_numbers(numbers, names)
            of_block, before = numbers.mean(axis=0), count
            count += len(numbers)
            squares = squares + ((numbers - of_block) ** 2).sum(axis=0)
            squares = squares + (of_block - mean) ** 2 * (before * len(numbers) / count)
            mean = mean + (of_block - mean) * (len(numbers) / count)
    deviations = np.sqrt(squares / max(count, 1))
    deviations[deviations == 0] = 1
    return Scale(tuple(mean.tolist()), tuple(deviations.tolist()))


def _refuse_no_numbers(numbers: np.ndarray, names: Sequence[str]) -> None:
    if not np.isfinite(numbers).all():
        raise ExampleError(
            f"one of {', '.join(names)} is NaN or infinite in some examples; "
            f"build a version without them: checks: {{examples: {{{names[0]}: {{finite: true}}}}}}"
        )
