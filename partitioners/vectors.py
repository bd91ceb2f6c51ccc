"""Embeddings as a matrix."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from groupstream import ExampleError, SpecError
from partitioners.partitioner import ExampleIds


def matrix_of(batch: pa.RecordBatch, feature: str, ids: ExampleIds) -> tuple[np.ndarray, np.ndarray]:
    """The vectors of a batch: of a tensor, or a list that is as long in all examples.

    Returns:
        float32[num_vectors, num_dimensions], and int64[num_vectors]: which examples have one.

    Raises:
        SpecError: the feature holds no numbers, or single ones.
        ExampleError: a vector is empty, of another length than the first, or not all of its numbers are finite.
    """
    column = batch.column(feature)
    has_vector = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
    some = column.take(pa.array(has_vector))
    lists = some.storage if isinstance(some, pa.ExtensionArray) else some
    numbers = lists
    while pa.types.is_nested(numbers.type) and not pa.types.is_struct(numbers.type):
        numbers = numbers.flatten()
    if numbers is lists or not (pa.types.is_integer(numbers.type) or pa.types.is_floating(numbers.type)):
        raise SpecError(
            f"partitioner: feature {feature!r} is {column.type}, which is no embedding; "
            "name one that is a tensor or a list of numbers"
        )
    lengths = pc.list_value_length(lists).to_numpy(zero_copy_only=False)
    if len(odd := np.flatnonzero((lengths != lengths[:1]) | (lengths == 0))):
        problem = f"has {lengths[odd[0]]:,} numbers, the first of its batch {lengths[0]:,}"
        raise _error(feature, ids, has_vector[odd[0]], problem)
    flat = numbers.cast(pa.float32(), safe=False).to_numpy(zero_copy_only=False)  # null is NaN
    vectors = flat.reshape(len(lists), -1 if len(lists) else 0)
    if len(odd := np.flatnonzero(~np.isfinite(vectors).all(axis=1))):
        raise _error(feature, ids, has_vector[odd[0]], "is not finite in all its numbers")
    return vectors, has_vector


def _error(feature: str, ids: ExampleIds, place: int, problem: str) -> ExampleError:
    return ExampleError(
        f"partitioner: the embedding {feature!r} in row {ids.rows[place] + 1:,} of piece {ids.piece_index} {problem}; "
        "every embedding needs the same number of finite numbers"
    )
