from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from groupstream import Feature
from groupstream.examples.decoding import decode_examples
from groupstream.examples.encoding import encode_examples
from groupstream.features import arrow_schema
from groupstream.python_values import python_values


def test_values_without_tensors_are_those_of_python() -> None:
    assert python_values(pa.array(["a", None])) == ["a", None]
    assert python_values(pa.array([[1], [], None])) == [[1], [], None]


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float32"])
def test_lists_of_tensors_are_arrays(dtype: Any) -> None:
    feature = Feature(dtype=dtype, shape=(None, 2, 1), optional=True)
    stored = [[[[1], [0]]], None, [], [[[0], [1]], [[1], [1]]]]
    values = [None if v is None else np.array(v, dtype).reshape(-1, 2, 1).tolist() for v in stored]
    batch = pa.record_batch([pa.array(values, feature.arrow_type)], schema=arrow_schema({"x": feature}))
    column = decode_examples(encode_examples(batch, {"x": feature}), {"x": feature}).column("x")
    for part, expected in ((column, values), (column.slice(1), values[1:]), (column.slice(3), values[3:])):
        found = python_values(part)
        assert [None if v is None else v.tolist() for v in found] == expected
        assert {(v.dtype, v.shape[1:]) for v in found if v is not None} == {(np.dtype(dtype), (2, 1))}


def test_tensors_are_arrays() -> None:
    feature = Feature(dtype="bool", shape=(2,), optional=True)
    storage = pa.array([[True, False], None, [False, False]], feature.arrow_type.storage_type)
    column = pa.ExtensionArray.from_storage(feature.arrow_type, storage)
    found = python_values(column.slice(1))
    assert found[0] is None
    np.testing.assert_array_equal(found[1], np.zeros(2, bool))


def test_no_tensors_at_all_keep_their_shape() -> None:
    column = pa.array([[]], Feature(dtype="int8", shape=(None, 3)).arrow_type)
    assert python_values(column)[0].shape == (0, 3)
