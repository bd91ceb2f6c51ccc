"""What features examples have, found by looking at all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from google.protobuf.message import DecodeError

from groupstream.errors import CorruptError, ExampleError
from groupstream.examples.parsing import example_class
from groupstream.examples.values import walk_columns
from groupstream.examples.walk import IrregularError, bytes_of, find_features
from groupstream.features import DType, Feature

_BATCH_BYTES = 8 << 20
_KIND_OF_TAG = {0x0A: "bytes_list", 0x12: "float_list", 0x1A: "int64_list"}


def infer_features(records: Iterable[pa.LargeBinaryArray]) -> dict[str, Feature]:
    """What features serialised tf.train.Examples have. Reads them all, in bounded memory.

    The kind of a list gives the dtype: floats are float32 and integers int64; byte strings are text if all are UTF-8,
    else bytes, and bytes where there are no values at all. A feature is a list unless it holds exactly one value
    wherever it is there, and optional if it is missing somewhere. A tensor cannot be told from a list, nor an image
    from bytes: where you know, say so yourself.

    Args:
        records: the examples, in batches of any size.

    Returns:
        Features in the order of their names.

    Raises:
        ExampleError: a feature that is of one kind here and of another there.
        CorruptError: a record that is no tf.train.Example.
    """
    seen: dict[str, _Seen] = {}
    num_records = 0
    for batch in _batches(records):
        num_records += len(batch)
        try:
            _look(batch, seen)
        except IrregularError:
            _parse(batch, seen)
    return {name: found.feature(num_records) for name, found in sorted(seen.items())}


@dataclass
class _Seen:
    """What is known of a feature so far."""

    name: str
    kind: str | None = None
    is_single: bool = True
    is_text: bool = True
    num_present: int = 0
    num_values: int = 0

    def add_kind(self, kind: str) -> None:
        if self.kind not in (None, kind):
            raise ExampleError(
                f"feature {self.name!r} is of kind {self.kind} in some examples and {kind} in others; "
                "give the features yourself, without this one"
            )
        self.kind = kind

    def add_values(self, items: pa.Array, is_single: bool) -> None:
        self.is_single &= is_single
        self.num_values += len(items)
        if self.kind == "bytes_list" and self.is_text:
            self.is_text = _is_text(items)

    def feature(self, num_records: int) -> Feature:
        text: DType = "string" if self.is_text and self.num_values else "bytes"
        dtype: DType = {"float_list": "float32", "int64_list": "int64"}.get(self.kind or "", text)  # type: ignore[assignment]
        return Feature(dtype=dtype, shape=() if self.is_single else (None,), optional=self.num_present < num_records)


def _batches(records: Iterable[pa.LargeBinaryArray]) -> Iterator[pa.LargeBinaryArray]:
    """Small batches joined: what is done with one has a price of its own."""
    waiting: list[pa.LargeBinaryArray] = []
    size = 0
    for batch in records:
        waiting.append(batch)
        size += batch.nbytes
        if size >= _BATCH_BYTES:
            yield pa.concat_arrays(waiting)
            waiting, size = [], 0
    if waiting:
        yield pa.concat_arrays(waiting)


def _look(batch: pa.LargeBinaryArray, seen: dict[str, _Seen]) -> None:
    """A whole batch at once."""
    found = find_features(batch) if len(batch) else {}
    data = bytes_of(batch)
    kinds: dict[str, str] = {}
    for name, spans in found.items():
        tags = np.unique(data[spans.starts[spans.starts < spans.ends]]).tolist()
        if not set(tags) <= set(_KIND_OF_TAG):
            raise IrregularError
        one = seen.setdefault(name, _Seen(name))
        for tag in tags:
            one.add_kind(_KIND_OF_TAG[tag])
        kinds[name] = one.kind or "bytes_list"
    for name, column in walk_columns(batch, kinds).items():
        seen[name].num_present += int(column.is_there.sum())
        seen[name].add_values(column.items, bool((column.counts == column.is_there).all()))


def _parse(batch: pa.LargeBinaryArray, seen: dict[str, _Seen]) -> None:
    """One by one, with protobuf."""
    parse: Any = example_class().FromString
    for record in batch.to_pylist():
        try:
            features = parse(record).features.feature
        except DecodeError as error:
            raise CorruptError(f"a record is not a tf.train.Example ({error})") from error
        for name, feature in features.items():
            one = seen.setdefault(name, _Seen(name))
            one.num_present += 1
            if kind := feature.WhichOneof("kind"):
                one.add_kind(kind)
            values = getattr(feature, kind).value if kind else ()
            one.is_single &= len(values) == 1
            one.num_values += len(values)
            if kind == "bytes_list":
                one.is_text = one.is_text and all(map(_is_utf8, values))


def _is_text(items: pa.Array) -> bool:
    try:
        items.cast(pa.large_string())
    except pa.ArrowInvalid:
        return False
    return True


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
