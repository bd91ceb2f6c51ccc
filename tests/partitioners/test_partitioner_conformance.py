"""What holds for every partitioner."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from groupstream import SpecError
from partitioners import AnyPartitioner, ByFeature, ByUrlDomain, ByUrlHost, ExampleIds, Partitioner

_URLS = [
    "http://a.example.com/1",
    "https://www.Example.com:8080/x?y#z",
    "b.example.co.uk",
    "http://[::1]/",
    "not a url",
    "",
    None,
    "http://a.example.com/2",
]


@dataclass(frozen=True)
class Case:
    """A partitioner, and values of the feature `key` that it reads; more than one group is among them."""

    partitioner: Partitioner
    values: pa.Array


CASES = [
    Case(ByFeature(feature="key"), pa.array(["x", "é", "", None, " ", "x"])),
    Case(ByFeature(feature="key"), pa.array([b"x", b"\xff\0", b"", None, b"x"])),
    Case(ByFeature(feature="key"), pa.array([3, -1, None, 0, 3])),
    Case(ByFeature(feature="key"), pa.array([True, None, False, True])),
    *(Case(ByFeature(feature="key"), pa.array([3, None, 0], kind)) for kind in (pa.int8(), pa.uint8(), pa.uint32())),
    Case(ByFeature(feature="key"), pa.array([0.5, None, 2.0], pa.float32())),
    Case(ByUrlHost(feature="key"), pa.array(_URLS)),
    Case(ByUrlHost(feature="key"), pa.array([None if url is None else url.encode() for url in _URLS])),
    Case(ByUrlDomain(feature="key"), pa.array(_URLS)),
]


def test_cases_cover_every_partitioner() -> None:
    members = get_args(get_args(AnyPartitioner)[0])
    assert {type(case.partitioner) for case in CASES} == set(members)


@pytest.fixture(params=CASES, ids=lambda case: f"{type(case.partitioner).__name__}-{case.values.type}")
def case(request: pytest.FixtureRequest) -> Case:
    return request.param  # type: ignore[no-any-return]


def _assign(partitioner: Partitioner, values: pa.Array, first_row: int = 0, **others: Any) -> pa.Array:
    batch = pa.record_batch({**others, "key": values})
    return partitioner.assign(batch, ExampleIds(0, np.arange(first_row, first_row + len(values))))


def test_ids_are_binary_one_an_example(case: Case) -> None:
    ids = _assign(case.partitioner, case.values)
    ids.validate(full=True)
    assert ids.type == pa.binary()
    assert len(ids) == len(case.values)
    assert len(set(ids.to_pylist()) - {None, b""}) > 1


def test_assigning_twice_gives_the_same(case: Case) -> None:
    assert _assign(case.partitioner, case.values) == _assign(case.partitioner, case.values)


def test_ids_do_not_depend_on_where_batches_end(case: Case) -> None:
    whole = _assign(case.partitioner, case.values).to_pylist()
    for size in (1, 2, 3):
        parts = [
            _assign(case.partitioner, case.values.slice(start, size), start).to_pylist()
            for start in range(0, len(case.values), size)
        ]
        assert [group for part in parts for group in part] == whole


def test_ids_do_not_depend_on_the_order_of_examples(case: Case) -> None:
    order = np.random.default_rng(0).permutation(len(case.values))
    batch = pa.record_batch({"key": case.values.take(order)})
    shuffled = case.partitioner.assign(batch, ExampleIds(0, order))
    assert shuffled == _assign(case.partitioner, case.values).take(order)


def test_null_and_empty_keys_give_no_group(case: Case) -> None:
    empty = pc.fill_null(pc.equal(pc.binary_length(case.values.cast(pa.string())), 0), True) if _is_text(case) else None
    keyless = case.values.is_null() if empty is None else empty
    ids = _assign(case.partitioner, case.values).filter(keyless)
    assert len(ids) > 0
    assert set(ids.to_pylist()) <= {None, b""}


def _is_text(case: Case) -> bool:
    return pa.types.is_string(case.values.type)


def test_only_what_it_reads_is_looked_at(case: Case) -> None:
    assert case.partitioner.reads == {"key"}
    others = {"a": pa.nulls(len(case.values)), "url": pa.array(range(len(case.values)))}
    assert _assign(case.partitioner, case.values, **others) == _assign(case.partitioner, case.values)


def test_empty_batch_gives_no_ids(case: Case) -> None:
    assert _assign(case.partitioner, case.values.slice(0, 0)) == pa.array([], pa.binary())
    assert _assign(case.partitioner, case.values.slice(2, 0)) == pa.array([], pa.binary())


def test_partitioner_survives_pickling_and_json(case: Case) -> None:
    expected = _assign(case.partitioner, case.values)
    pickled = pickle.loads(pickle.dumps(case.partitioner))
    assert pickled == case.partitioner
    assert _assign(pickled, case.values) == expected
    assert TypeAdapter(AnyPartitioner).validate_json(case.partitioner.model_dump_json()) == case.partitioner


@pytest.mark.parametrize("make", [ByFeature, ByUrlHost, ByUrlDomain])
@pytest.mark.parametrize(
    "values",
    [pa.array([[1]]), pa.array([["x"]]), pa.array([{"a": 1}])],
    ids=lambda values: str(values.type),
)
def test_lists_and_nested_values_are_no_keys(make: Any, values: pa.Array) -> None:
    with pytest.raises(
        SpecError, match=r"partitioner: feature 'key' is .*, which is no key; name one of single values"
    ):
        _assign(make(feature="key"), values)


def test_tensors_are_no_keys() -> None:
    storage = pa.array([[1, 2]], pa.list_(pa.uint8(), 2))
    values = pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(pa.uint8(), (2,)), storage)
    with pytest.raises(SpecError, match="which is no key"):
        _assign(ByFeature(feature="key"), values)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text() | st.none() | st.binary().map(lambda b: f"http://{b.decode('latin-1')}/")))
def test_any_text_gives_an_id_that_is_null_or_not_empty(values: list[str | None]) -> None:
    for partitioner in (ByUrlHost(feature="key"), ByUrlDomain(feature="key")):
        ids = _assign(partitioner, pa.array(values, pa.string())).to_pylist()
        assert all(group is None or (group and b" " not in group) for group in ids)
