"""A random sample of vectors that is the same however the examples are read and merged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from groupstream import ExampleError

MAX_BYTES = 32 << 20  # of the vectors of a sample: long ones are sampled less


@dataclass(frozen=True, eq=False)
class Sample:
    """The examples with the smallest random draws: a uniform sample without replacement (bottom-k).

    Source: Cohen and Kaplan, "Summarizing data using bottom-k sketches", 2007.

    Attributes:
        draws: float64[num_vectors], the random number of each example; ascending.
        names: int64[num_vectors, 2], the (piece_index, row) of each example, each once.
        vectors: float32[num_vectors, num_dimensions].
    """

    draws: np.ndarray
    names: np.ndarray
    vectors: np.ndarray

    def smallest(self, size: int) -> Sample:
        """In order, each example once; no more than `size`, and than `MAX_BYTES` hold."""
        size = min(size, MAX_BYTES // max(1, 4 * self.vectors.shape[1]))
        order = np.lexsort((self.names[:, 1], self.names[:, 0], self.draws))
        names, draws = self.names[order], self.draws[order]
        repeated = (draws[1:] == draws[:-1]) & (names[1:] == names[:-1]).all(axis=1)
        kept = order[~np.concatenate((np.zeros(min(1, len(order)), bool), repeated))][:size]
        return Sample(self.draws[kept], self.names[kept], self.vectors[kept])


def merge_samples(samples: Iterable[Sample], size: int) -> Sample:
    """The sample of what all of them are samples of. Holds at most about five times what a sample may hold.

    Raises:
        ExampleError: the vectors of two samples have other lengths.
    """
    parts, waiting, num_bytes = [], 0, 0
    for sample in samples:
        if len(sample.draws):
            parts.append(sample)
            waiting += len(sample.draws)
            num_bytes += sample.vectors.nbytes
        if waiting > 2 * size or num_bytes > 2 * MAX_BYTES:
            parts = [_joined(parts).smallest(size)]
            waiting, num_bytes = len(parts[0].draws), parts[0].vectors.nbytes
    return _joined(parts).smallest(size)


def _joined(parts: list[Sample]) -> Sample:
    if not parts:
        return Sample(np.empty(0), np.empty((0, 2), np.int64), np.empty((0, 0), np.float32))
    lengths = {part.vectors.shape[1] for part in parts}
    if len(lengths) > 1:
        raise ExampleError(
            f"partitioner: embeddings have {' and '.join(map(str, sorted(lengths)))} numbers; "
            "every embedding needs the same number"
        )
    columns = ((part.draws, part.names, part.vectors) for part in parts)
    draws, names, vectors = map(np.concatenate, zip(*columns, strict=True))
    return Sample(draws, names, vectors)
