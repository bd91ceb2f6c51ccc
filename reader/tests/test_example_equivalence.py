"""A batch decodes to what its records decode to one by one, whatever protobuf allows in them.

One record is parsed with protobuf; a batch is walked, or in part walked and in part parsed. The records are encoded by
hand, so that they hold what no writer of ours writes.
"""

from __future__ import annotations

import functools
import itertools
import struct
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from groupstream import CorruptError, ExampleError, Feature
from groupstream.examples.decoding import decode_examples
from groupstream.examples.values import walk_columns
from groupstream.examples.walk import IrregularError
from groupstream.features import Features

NAMES = ["a", "b", "lang", "eightchr", "a longer name", "é"]
DTYPES = {"bytes": ["string", "bytes"], "float": ["float32"], "int": ["int64", "int32", "uint8", "bool"]}
LIST_TAGS = {"bytes": b"\x0a", "float": b"\x12", "int": b"\x1a"}
KINDS = {"bytes": "bytes_list", "float": "float_list", "int": "int64_list"}
ODDITIES = [
    "unknown field",
    "list in two fields",
    "not packed",
    "no kind",
    "another kind",
    "two lists",
    "value before key",
    "no key or value",
    "two values",
    "other order",
    "twice",
    "missing",
]
UNKNOWN_FIELDS = [b"\x78\x05", b"\x7a\x03abc", b"\x7d\x00\x00\x00\x01", b"\x7a\x00"]


def varint(value: int) -> bytes:
    value %= 1 << 64
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def delimited(tag: bytes, content: bytes) -> bytes:
    return tag + varint(len(content)) + content


def values_of(kind: str) -> st.SearchStrategy[Any]:
    return {
        "bytes": st.one_of(st.binary(max_size=3), st.text(max_size=150).map(str.encode)),
        "float": st.floats(width=32, allow_nan=False),
        "int": st.one_of(st.integers(0, 1), st.integers(0, 300), st.integers(-(1 << 63), (1 << 63) - 1)),
    }[kind]


def encode_values(kind: str, values: list[Any], packed: bool) -> bytes:
    if kind == "bytes":
        return b"".join(delimited(b"\x0a", v) for v in values)
    tag, encode = (b"\x0d", functools.partial(struct.pack, "<f")) if kind == "float" else (b"\x08", varint)
    encoded = [encode(v) for v in values]
    if packed:
        return delimited(b"\x0a", b"".join(encoded)) if values else b""
    return b"".join(tag + e for e in encoded)


class Encoder:
    """Draws one record. What is among `oddities` is done at about half of the places."""

    def __init__(self, draw: st.DrawFn, kinds: dict[str, str], oddities: set[str]) -> None:
        self.draw, self.kinds, self.oddities = draw, kinds, oddities

    def does(self, oddity: str) -> bool:
        return oddity in self.oddities and self.draw(st.booleans())

    def mixed(self, *parts: bytes) -> bytes:
        """Parts of a message in order, sometimes with a field in between that nobody knows."""
        unknown = [self.does("unknown field") for _ in range(len(parts) + 1)]
        between = [self.draw(st.sampled_from(UNKNOWN_FIELDS)) if odd else b"" for odd in unknown]
        return b"".join(itertools.chain(*zip(between, (*parts, b""), strict=True)))

    def a_list(self, kind: str, size: int) -> bytes:
        values = self.draw(st.lists(values_of(kind), min_size=size, max_size=size))
        cut = self.draw(st.integers(0, size)) if self.does("list in two fields") else size
        parts = [encode_values(kind, v, not self.does("not packed")) for v in (values[:cut], values[cut:])]
        return delimited(LIST_TAGS[kind], self.mixed(*parts))

    def feature(self, name: str, feature: Feature) -> bytes:
        if self.does("no kind"):
            return b""  # no kind is set
        size = 1 if not feature.is_list else 2 * self.draw(st.integers(0, 2))
        kind = self.draw(st.sampled_from(sorted(KINDS))) if self.does("another kind") else self.kinds[name]
        if self.does("two lists"):  # of two kinds the last is set, of one kind both are merged
            return self.mixed(self.a_list(kind, size), self.a_list(self.kinds[name], size))
        return self.mixed(self.a_list(kind, size))

    def entry(self, name: str, feature: Feature) -> bytes:
        parts = [delimited(b"\x0a", name.encode()), delimited(b"\x12", self.feature(name, feature))]
        if self.does("value before key"):
            parts.reverse()
        if self.does("no key or value"):
            parts.pop(self.draw(st.integers(0, 1)))
        if self.does("two values"):  # they are merged
            parts.append(delimited(b"\x12", self.feature(name, feature)))
        return delimited(b"\x0a", self.mixed(*parts))

    def record(self, stored: Features) -> bytes:
        names = self.draw(st.permutations(list(stored))) if self.does("other order") else list(stored)
        names = [n for n in names for _ in range(2 if self.does("twice") else 1)]
        entries = [self.entry(n, stored[n]) for n in names if not self.does("missing")]
        cut = self.draw(st.integers(0, len(entries)))
        messages = [delimited(b"\x0a", self.mixed(*part)) for part in (entries[:cut], entries[cut:])]
        return self.mixed(*messages)


@st.composite
def features_of(draw: st.DrawFn, kinds: dict[str, str]) -> Features:
    """A feature for each name, of a type that is stored as a list of its kind."""
    found = {}
    for name, kind in kinds.items():
        shapes: list[tuple[int | None, ...]] = [(), (None,)] if kind == "bytes" else [(), (None,), (None, 2)]
        dtype: Any = draw(st.sampled_from(DTYPES[kind]))
        found[name] = Feature(dtype=dtype, shape=draw(st.sampled_from(shapes)), optional=draw(st.integers(0, 3)) > 0)
    return found


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[bytes], Features]:
    """Distinct records, and the features to decode: some of those that they hold, or more."""
    kinds = draw(st.dictionaries(st.sampled_from(NAMES), st.sampled_from(sorted(KINDS)), min_size=1, max_size=4))
    stored = draw(features_of(kinds))
    oddities = draw(st.sets(st.sampled_from(ODDITIES), max_size=2))
    records = [Encoder(draw, kinds, oddities).record(stored) for _ in range(draw(st.integers(1, 4)))]
    asked = {name: feature for name, feature in stored.items() if draw(st.integers(0, 4))}
    if draw(st.booleans()):
        asked["never stored"] = Feature(dtype="string", optional=True)
    return records, asked


def binaries(values: list[bytes]) -> pa.LargeBinaryArray:
    return pa.array(values, pa.large_binary())


def decode_one_by_one(records: list[bytes], features: Features) -> pa.RecordBatch:
    return pa.concat_batches([decode_examples(binaries([record]), features) for record in records])


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(cases(), st.integers(33, 60))
def test_a_batch_decodes_to_what_its_records_decode_to(case: tuple[list[bytes], Features], size: int) -> None:
    distinct, features = case
    records = list(itertools.islice(itertools.cycle(distinct), size))
    try:
        expected = decode_one_by_one(records, features)
    except (CorruptError, ExampleError) as error:
        event(type(error).__name__)
        with pytest.raises(type(error)):
            decode_examples(binaries(records), features)
        return
    event("decodes")
    assert decode_examples(binaries(records), features).equals(expected)


def test_one_odd_record_among_many_changes_nothing_for_the_others() -> None:
    features = {"a": Feature(dtype="int64", shape=(None,)), "lang": Feature(dtype="string", optional=True)}
    kinds = {"a": "int64_list", "lang": "bytes_list"}

    def record(number: int, packed: bool) -> bytes:
        a = delimited(b"\x1a", encode_values("int", [number, -number], packed))
        lang = delimited(b"\x0a", encode_values("bytes", [b"x" * (number % 5)], packed))
        entries = [
            delimited(b"\x0a", delimited(b"\x0a", key) + delimited(b"\x12", value))
            for key, value in ((b"a", a), (b"lang", lang))
        ]
        return delimited(b"\x0a", b"".join(entries[: 1 + (number % 3 > 0)]))

    records = [record(number, packed=number != 700) for number in range(1500)]
    with pytest.raises(IrregularError):
        walk_columns(binaries(records), kinds)
    assert len(walk_columns(binaries(records[:700]), kinds)["a"].items) == 1400
    assert decode_examples(binaries(records), features).equals(decode_one_by_one(records, features))
