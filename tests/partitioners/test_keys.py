"""What can be a key, and what cannot."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groupstream import SpecError
from partitioners import (
    ByComposite,
    ByFeature,
    ByRegex,
    BySilos,
    ByTimeBuckets,
    ByUrlDomain,
    ByUrlHost,
    ExampleIds,
    RulePartitioner,
)
from partitioners.keys import as_text


def _assign(partitioner: RulePartitioner, values: pa.Array) -> list[bytes | None]:
    batch = pa.record_batch({"key": values})
    return partitioner.assign(batch, ExampleIds(0, np.arange(len(batch)))).to_pylist()


@pytest.mark.parametrize(
    "partitioner",
    [
        ByFeature(feature="key"),
        ByUrlHost(feature="key"),
        ByUrlDomain(feature="key"),
        ByComposite(features=["key", "key"]),
        ByRegex(feature="key", pattern="(.)"),
        BySilos(feature="key", num_groups=2),
        ByTimeBuckets(feature="key"),
    ],
    ids=lambda partitioner: partitioner.kind,
)
@pytest.mark.parametrize(
    "values",
    [pa.array([[1]]), pa.array([["x"]]), pa.array([{"a": 1}])],
    ids=lambda values: str(values.type),
)
def test_lists_and_nested_values_are_no_keys(partitioner: RulePartitioner, values: pa.Array) -> None:
    with pytest.raises(
        SpecError, match=r"partitioner: feature 'key' is .*, which is no key; name one of single values"
    ):
        _assign(partitioner, values)


def test_tensors_are_no_keys() -> None:
    storage = pa.array([[1, 2]], pa.list_(pa.uint8(), 2))
    values = pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(pa.uint8(), (2,)), storage)
    with pytest.raises(SpecError, match="which is no key"):
        _assign(ByFeature(feature="key"), values)


def test_bytes_that_are_no_text_are_null_as_text() -> None:
    assert as_text(pa.array(["é".encode(), b"\xff", None, b""])).to_pylist() == ["é", None, None, ""]
    assert as_text(pa.array([b"a", None])).to_pylist() == ["a", None]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text() | st.none() | st.binary().map(lambda b: f"http://{b.decode('latin-1')}/")))
def test_any_text_gives_an_id_that_is_null_or_not_empty(values: list[Any]) -> None:
    for partitioner in (ByUrlHost(feature="key"), ByUrlDomain(feature="key")):
        ids = _assign(partitioner, pa.array(values, pa.string()))
        assert all(group is None or (group and b" " not in group) for group in ids)
