"""Lines of JSON."""

from __future__ import annotations

import codecs
import difflib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import pyarrow as pa
import pyarrow.json
from pydantic import ConfigDict

from groupstream import ExampleError, Feature, SourceError, SpecError
from groupstream.features import Features, arrow_schema
from sources.files import FileSource, not_utf8, opened
from sources.selection import hint, json_text, misfit, refuse_new_features, selected_features

_BLOCK_BYTES = 8 << 20
_TYPE_CHANGED = re.compile(r"Column\(/(.*)\) changed from (\w+) to (\w+) in row (\d+)")


class JsonLines(FileSource):
    """Files with one JSON object a line; .gz and .zst are decompressed. A piece is a file.

    A feature that is declared a string takes any value: numbers as they are written, nested ones as JSON.
    """

    model_config = ConfigDict(title="JSON lines")

    kind: Literal["jsonl"] = "jsonl"
    unit: ClassVar[str] = "example"

    def available_features(self) -> Features:
        """The features of the first block, of 8 MiB, with those that are declared. See `Source.available_features`."""
        files = self.files()
        first = next(((file, *block) for file in files for block in _blocks(file)), None)
        if first is None:
            raise SourceError(f"{files[0]} has no line; a source needs at least one example to know its features")
        file, number, block = first
        if isinstance(self.features, dict):
            schema = _declared_schema(_objects(block, file, number), self.features)
        else:
            schema = _inferred_schema(block, file, number)
        return selected_features(self.features, schema)

    def read_file(self, file: Path, features: Features) -> Iterator[pa.RecordBatch]:
        """See `FileSource.read_file`."""
        for number, block in _blocks(file):
            try:
                batch = _parse(block, arrow_schema(features), "ignore" if self.features else "infer")
            except pa.ArrowInvalid:
                batch = _parse_by_line(block, features, file, number)
            if self.features is None and set(batch.schema.names) > set(features):
                for line, found in _objects(block, file, number):
                    refuse_new_features(found, features, f"{file}, line {line}")
            yield batch


def _blocks(file: Path) -> Iterator[tuple[int, bytes]]:
    """Whole lines, about 8 MiB at a time or one longer line, and the number of the first of them."""
    number = 1
    for block in _whole_lines(file):
        text = block.removeprefix(codecs.BOM_UTF8) if number == 1 else block
        if text.strip():
            yield number, text
        number += block.count(b"\n")


def _whole_lines(file: Path) -> Iterator[bytes]:
    parts: list[bytes] = []  # of a line that is not whole yet
    with opened(file) as stream:
        following = stream.read(_BLOCK_BYTES)
        while data := following:
            following = stream.read(_BLOCK_BYTES)
            if end := data.rfind(b"\n") + 1 if following else len(data):
                yield b"".join([*parts, data[:end]])
                parts = []
            parts.append(data[end:])


def _parse(block: bytes, schema: pa.Schema, new_features: str) -> pa.RecordBatch:
    """All lines at once. Raises ArrowInvalid where a line is no JSON, no UTF-8, or does not fit the schema."""
    table = pa.json.read_json(
        pa.BufferReader(block),
        pa.json.ReadOptions(block_size=len(block) + 1, use_threads=False),
        pa.json.ParseOptions(
            explicit_schema=pa.schema([field.with_nullable(True) for field in schema]),
            unexpected_field_behavior=new_features,
        ),
    )
    table.validate(full=True)
    return table.combine_chunks().to_batches()[0]


def _inferred_schema(block: bytes, file: Path, number: int) -> pa.Schema:
    try:
        return _parse(block, pa.schema([]), "infer").schema
    except pa.ArrowInvalid as error:
        numbers = [line for line, _ in _objects(block, file, number)]  # raises at a line that is no JSON object
        changed = _TYPE_CHANGED.search(str(error))
        where = f"{file}, line {numbers[int(changed[4])]}" if changed else f"{file}, line {number} or after"
        what = f"feature {changed[1]!r} changes from {changed[2]} to {changed[3]}" if changed else str(error)
        raise SourceError(
            f"{where}: {what}. Give the features to keep a type under source.features; a string takes any value"
        ) from error


def _declared_schema(objects: Iterator[tuple[int, dict[str, Any]]], dtypes: dict[str, Any]) -> pa.Schema:
    """Which of the declared features are lists. One that is not among `objects` may come later, if it is no slip."""
    lists: dict[str, bool] = {}
    for _, found in objects:
        for name, value in found.items():
            lists[name] = lists.get(name, False) or _is_flat_list(value)
    for name in dtypes.keys() - lists:
        if difflib.get_close_matches(name, lists.keys() - dtypes, 1):
            raise SpecError(f"source.features names {name!r}, which the source does not have; {hint(name, lists)}")
    return pa.schema([(name, pa.list_(pa.null()) if lists.get(name) else pa.null()) for name in dtypes])


def _is_flat_list(value: Any) -> bool:
    return isinstance(value, list) and not any(isinstance(item, list | dict) for item in value)


def _parse_by_line(block: bytes, features: Features, file: Path, first: int) -> pa.RecordBatch:
    """The same line by line: slower, but it knows the line that is wrong, and turns values into strings."""
    numbers, objects = zip(*_objects(block, file, first), strict=True)
    columns = {
        name: _column([found.get(name) for found in objects], name, feature, file, numbers)
        for name, feature in features.items()
    }
    new = {name: pa.nulls(len(objects)) for found in objects for name in found if name not in features}
    return pa.record_batch(columns | new)


def _column(values: list[Any], name: str, feature: Feature, file: Path, numbers: tuple[int, ...]) -> pa.Array:
    if feature.dtype == "string":
        values = [[_text(item) for item in v] if feature.is_list and isinstance(v, list) else _text(v) for v in values]
    try:
        return _array(values, feature)
    except _MISFITS:
        for number, value in zip(numbers, values, strict=True):
            try:
                _array([value], feature)
            except _MISFITS as error:
                raise ExampleError(misfit(f"{file}, line {number}", name, repr(value), feature)) from error
        raise


# ArrowInvalid, a ValueError: out of the range of the type. UnicodeEncodeError, one too: half a surrogate pair.
_MISFITS = (ValueError, TypeError, OverflowError)


def _array(values: list[Any], feature: Feature) -> pa.Array:
    if not all(value is None or _has_type(value, feature) for value in values):
        raise TypeError("a value of another type")
    return pa.array(values, feature.arrow_type)


def _has_type(value: Any, feature: Feature) -> bool:
    """Whether it is of the type, not only convertible to it: Arrow would cut 1.5 to the integer 1."""
    types = _PYTHON_TYPES.get(feature.dtype, {int})
    if feature.is_list:
        return isinstance(value, list) and all(type(item) in types for item in value)
    return type(value) in types


class _Float(float):
    """A number that remembers how it was written."""

    written: str

    def __new__(cls, written: str) -> _Float:
        number = super().__new__(cls, written)
        number.written = written
        return number


_PYTHON_TYPES: dict[str, set[type]] = {"string": {str}, "bytes": {str}, "bool": {bool}, "float32": {_Float, float, int}}


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return value.written if isinstance(value, _Float) else json_text(value)


def _objects(block: bytes, file: Path, first: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """The object of each line and its number; empty lines hold none."""
    for number, line in enumerate(block.split(b"\n"), first):
        if not line.strip():
            continue
        where = f"{file}, line {number}"
        try:
            found = json.loads(line.decode(), parse_float=_Float, object_pairs_hook=_object)
        except UnicodeDecodeError as error:
            raise SourceError(not_utf8(where)) from error
        except (ValueError, RecursionError) as error:
            raise SourceError(f"{where}: {line[:80]!r} is no JSON: {error}. Mend the line") from error
        if not isinstance(found, dict):
            raise SourceError(f"{where}: {line[:80]!r} is no JSON object. Write one object a line")
        yield number, found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(found := dict(pairs)) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(n for n in names if names.count(n) > 1)!r} stands twice in an object")
    return found
