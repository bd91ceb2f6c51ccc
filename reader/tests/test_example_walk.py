"""The lock-step walk against protobuf: the same values, or it says that it does not know."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groupstream import CorruptError, ExampleError, Feature
from groupstream.binary import gather, joined
from groupstream.examples.encoding import encode_examples, encode_group_ids
from groupstream.examples.parsing import example_class, parse_columns
from groupstream.examples.values import RawColumn, walk_columns
from groupstream.examples.walk import IrregularError, bytes_of

KINDS = {"a": "bytes_list", "b": "int64_list", "longer name": "float_list"}

LISTS = st.fixed_dictionaries(
    {},
    optional={
        "a": st.lists(st.binary(max_size=200), max_size=4),
        "b": st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=4),
        "longer name": st.lists(st.floats(width=32, allow_nan=False), max_size=4),
        "é": st.lists(st.binary(max_size=3), max_size=2),
        "": st.lists(st.integers(0, 300), max_size=2),
    },
)


def message_of(lists: dict[str, list[Any]], order: int) -> bytes:
    """A serialised Example whose entries stand in an order of its own."""
    parts = []
    for name in np.random.default_rng(order).permutation(sorted(lists)):
        message: Any = example_class()()
        kind = KINDS.get(name, "int64_list" if name == "" else "bytes_list")
        target = getattr(message.features.feature[name], kind)
        target.SetInParent()
        target.value.extend(lists[name])
        parts.append(message.SerializeToString()[2:] if order % 2 else message.SerializeToString())
    if order % 2 and all(len(p) < 100 for p in parts):  # one Features message
        body = b"".join(parts)
        return b"\x0a" + _varint(len(body)) + body
    return b"".join(message_of({name: lists[name]}, 0) for name in lists) if order % 2 else b"".join(parts)


def _varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def binaries(values: list[bytes]) -> pa.LargeBinaryArray:
    return pa.array(values, pa.large_binary())


def assert_same(walked: dict[str, RawColumn], parsed: dict[str, RawColumn]) -> None:
    for name, column in parsed.items():
        assert walked[name].items.equals(column.items), name
        np.testing.assert_array_equal(walked[name].counts, column.counts)
        np.testing.assert_array_equal(walked[name].is_there, column.is_there)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(LISTS, st.integers(0, 20)), max_size=6))
def test_walk_and_protobuf_find_the_same(examples: list[tuple[dict[str, list[Any]], int]]) -> None:
    records = binaries([message_of(lists, order) for lists, order in examples])
    parsed = parse_columns(records, KINDS)
    try:
        walked = walk_columns(records, KINDS)
    except IrregularError:  # an empty key is left out by protobuf, and only then
        assert any("" in lists for lists, _ in examples)
        return
    assert_same(walked, parsed)


@settings(max_examples=300, deadline=None)
@given(LISTS, st.data())
def test_damaged_records_are_never_read_differently(lists: dict[str, list[Any]], data: st.DataObject) -> None:
    wanted = {name: values for name, values in lists.items() if name in KINDS}  # nothing else is looked into
    whole = bytearray(message_of(wanted, 1) or b"\x0a\x00")
    position = data.draw(st.integers(0, len(whole) - 1))
    whole[position] = data.draw(st.integers(0, 255))
    damaged = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    records = binaries([message_of(lists, 2), damaged])
    try:
        walked = walk_columns(records, KINDS)
    except IrregularError:
        return
    try:
        parsed = parse_columns(records, KINDS)
    except (CorruptError, ExampleError):
        pytest.fail(f"the walk accepts {damaged!r}, protobuf does not")
    assert_same(walked, parsed)


def test_what_we_write_is_walked_and_not_parsed() -> None:
    size = 1000
    batch = pa.record_batch(
        {
            "a": pa.array([b"x" * (i % 300) for i in range(size)]),
            "b": pa.array([list(range(-1, i % 5)) for i in range(size)], pa.list_(pa.int64())),
            "longer name": pa.array([None if i % 7 == 0 else i / 2 for i in range(size)], pa.float32()),
        }
    )
    features = {
        "a": Feature(dtype="bytes"),
        "b": Feature(dtype="int64", shape=(None,)),
        "longer name": Feature(dtype="float32", optional=True),
    }
    ids = encode_group_ids(binaries([b"g%d" % (i // 10) for i in range(size)]))
    records = joined(encode_examples(batch, features), ids)
    for part in (records, records.slice(17, 400)):
        assert_same(walk_columns(part, KINDS), parse_columns(part, KINDS))


@pytest.mark.parametrize(
    "record",
    [
        b"\x12\x00",  # another field
        b"\x0a\x05\x0a\x03\x0a\x01a",  # an entry without a value
        b"\x0a\x09\x0a\x07\x12\x02\x0a\x00\x0a\x01a",  # the value before the key
        b"\x0a\x0b\x0a\x09\x0a\x01a\x12\x04\x12\x02\x0d\x00",  # a list of another kind
        b"\x0a\x0c\x0a\x0a\x0a\x01b\x12\x05\x1a\x03\x0a\x01\x80",  # an integer cut short
        b"\x0a",  # cut short
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",  # a length that nothing has
    ],
)
def test_what_is_irregular_is_left_to_protobuf(record: bytes) -> None:
    with pytest.raises(IrregularError):
        walk_columns(binaries([record]), KINDS)


def test_long_lists_of_byte_strings_are_left_to_protobuf() -> None:
    message: Any = example_class()()
    message.features.feature["a"].bytes_list.value.extend([b"x"] * 5000)
    with pytest.raises(IrregularError):
        walk_columns(binaries([message.SerializeToString()]), KINDS)


def test_gather_takes_ranges_in_order() -> None:
    records = binaries([b"hello world", b"and more"])
    starts, ends = np.array([0, 6, 6, 15]), np.array([5, 6, 11, 19])
    assert gather(records.buffers()[2], starts, ends).to_pylist() == [b"hello", b"", b"world", b"more"]
    assert gather(records.buffers()[2], starts[:0], ends[:0]).to_pylist() == []
    assert len(bytes_of(records)) == 19
