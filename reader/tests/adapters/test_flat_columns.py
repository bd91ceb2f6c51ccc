"""Columns as flat arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from groupstream import Split
from groupstream.adapters.flat_columns import flat_columns
from groupstream.adapters.numpy_columns import refuse_double_names
from groupstream.errors import UsageError
from groupstream.features import Feature


@pytest.mark.parametrize(("start", "stop"), [(0, 24), (3, 24), (9, 10), (5, 5)])
def test_a_slice_of_a_batch_is_a_slice_of_its_values(varied: Split, start: int, stop: int) -> None:
    [chunk] = varied.stream().chunks()
    batch = chunk.examples
    expected = [example for group in varied for example in group.examples()][start:stop]
    for name, column in flat_columns(batch.slice(start, stop - start), varied.features).items():
        for i, example in enumerate(expected):
            assert plain_value(column, i) == plain_example(example[name]), name
        length = len(column.values) if column.row_splits is None else len(column.row_splits) - 1
        assert length == stop - start


def plain_value(column: Any, i: int) -> Any:
    if column.is_there is not None and not column.is_there[i]:
        return None
    if column.row_splits is None:
        return column.values[i].tolist() if isinstance(column.values[i], np.ndarray | np.generic) else column.values[i]
    return column.values[column.row_splits[i] : column.row_splits[i + 1]].tolist()


def plain_example(value: Any) -> Any:
    if isinstance(value, list):
        return [plain_example(v) for v in value]
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value.encode() if isinstance(value, str) else value


def test_what_is_missing_is_zero(varied: Split) -> None:
    [chunk] = varied.stream().chunks()
    columns = flat_columns(chunk.examples, varied.features)
    for name in ("maybe", "maybe_mask", "raw"):
        missing = ~columns[name].is_there
        assert missing.any()
        assert not columns[name].values[missing].any()


def test_lists_of_tensors() -> None:
    feature = Feature(dtype="bool", shape=(None, 1, 2))
    batch = pa.record_batch(
        {"x": pa.array([[[[True, False]], [[False, True]]], [], [[[True, True]]]], feature.arrow_type)}
    )
    column = flat_columns(batch.slice(1), {"x": feature})["x"]
    assert column.values.tolist() == [[[True, True]]]
    assert column.row_splits.tolist() == [0, 0, 1]


def test_a_name_that_is_taken_is_refused() -> None:
    features = {"group_id": Feature(dtype="string")}
    refuse_double_names(features)
    with pytest.raises(UsageError, match="group_id"):
        refuse_double_names(features, "group_id")
