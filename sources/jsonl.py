"""Lines of JSON."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import pyarrow as pa
import pyarrow.json
from pydantic import ConfigDict

from groupstream import ExampleError, Feature, SourceError, SpecError
from groupstream.features import Features
from sources.choice import names_in_source
from sources.files import FilePart, FileSource, SourceFile, not_utf8
from sources.lines import BLOCK_BYTES, Lines, line_blocks, spans_of_lines
from sources.selection import hint, json_text, misfit, refuse_new_features

_TYPE_CHANGED = re.compile(r"Column\(/(.*)\) changed from (\w+) to (\w+) in row (\d+)")


class JsonLines(FileSource):
    """Files with one JSON object a line; .gz and .zst are decompressed. A piece is a file, or 64 MiB of a plain one.

    A feature that is declared a string takes any value: numbers as they are written, nested ones as JSON.
    """

    model_config = ConfigDict(title="JSON")

    kind: Literal["jsonl"] = "jsonl"
    unit: ClassVar[str] = "example"

    def spans(self, file: SourceFile) -> list[tuple[int, int | None]]:
        """See `FileSource.spans`."""
        return spans_of_lines(file)

    def file_schema(self) -> pa.Schema:
        """The features of the first block, of 8 MiB, with those that are declared. See `FileSource.file_schema`."""
        files = self.files()
        parts = (FilePart(file, file.name, 0, end) for file in files for end in (BLOCK_BYTES, None))
        first = next(((part.file, lines) for part in parts for lines in line_blocks(part)), None)
        if first is None:
            raise SourceError(f"{files[0]} has no line; a source needs at least one example to know its features")
        file, lines = first
        names = self._declared_names()
        return _inferred_schema(lines, file) if names is None else _declared_schema(lines, file, names)

    def read_part(self, part: FilePart, features: Features) -> Iterator[pa.RecordBatch]:
        """See `FileSource.read_part`."""
        for lines in line_blocks(part):
            try:
                batch = _parse(lines.text, _parsed_schema(features), "ignore" if self.features else "infer")
            except pa.ArrowInvalid:
                batch = _parse_by_line(lines, features, part.file)
            if self.features is None and set(batch.schema.names) > set(features):
                for where, found in _objects(lines, part.file):
                    refuse_new_features(found, features, where)
            yield batch

    def _declared_names(self) -> list[str] | None:
        """What the files call the features, where all of them have a type in the spec."""
        if not isinstance(self.features, dict) or any(choice.dtype is None for choice in self.features.values()):
            return None
        return [name for name in names_in_source(self.features).values() if name != self.path_feature]


def _parse(block: bytes, schema: pa.Schema, new_features: str) -> pa.RecordBatch:
    """All lines at once. Raises ArrowInvalid where a line is no JSON, no UTF-8, or does not fit the schema."""
    table = pa.json.read_json(
        pa.BufferReader(block),
        pa.json.ReadOptions(block_size=len(block) + 1, use_threads=False),
        pa.json.ParseOptions(
            explicit_schema=schema,
            unexpected_field_behavior=new_features,
        ),
    )
    table.validate(full=True)
    return table.to_batches()[0]  # of one block it makes one


def _parsed_schema(features: Features) -> pa.Schema:
    return pa.schema([(name, _parsed_type(feature)) for name, feature in features.items()])


def _parsed_type(feature: Feature) -> pa.DataType:
    """Floats keep their digits until they are cast: Arrow parses 1e300 as a float32 that is infinite."""
    if feature.dtype != "float32":
        return feature.arrow_type
    return pa.list_(pa.float64()) if feature.is_list else pa.float64()


def _inferred_schema(lines: Lines, file: SourceFile) -> pa.Schema:
    try:
        return _parse(lines.text, pa.schema([]), "infer").schema
    except pa.ArrowInvalid as error:
        places = [where for where, _ in _objects(lines, file)]  # raises at a line that is no JSON object
        changed = _TYPE_CHANGED.search(str(error))
        where = places[int(changed[4])] if changed else f"{places[0]} or after"
        what = f"feature {changed[1]!r} changes from {changed[2]} to {changed[3]}" if changed else str(error)
        raise SourceError(
            f"{where}: {what}. Give the features to keep a type under source.features; a string takes any value"
        ) from error


def _declared_schema(lines: Lines, file: SourceFile, names: list[str]) -> pa.Schema:
    """Which of the declared features are lists. One that is not in these lines may come later, if it is no slip."""
    lists = _found_lists(lines, file)
    for name in set(names) - lists.keys():
        if difflib.get_close_matches(name, lists.keys() - set(names), 1):
            raise SpecError(f"source.features names {name!r}, which the source does not have; {hint(name, lists)}")
    return pa.schema([(name, pa.list_(pa.null()) if lists.get(name) else pa.null()) for name in names])


def _found_lists(lines: Lines, file: SourceFile) -> dict[str, bool]:
    """The names in these lines, and whether a value is a list of plain values."""
    try:
        schema = _parse(lines.text, pa.schema([]), "infer").schema
        return {name: _is_flat_list_type(schema.field(name).type) for name in schema.names}
    except pa.ArrowInvalid:  # a value of another type, which a declared string takes
        pass
    found: dict[str, bool] = {}
    for _, values in _objects(lines, file):
        for name, value in values.items():
            found[name] = found.get(name, False) or _is_flat_list(value)
    return found


def _is_flat_list_type(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) and not pa.types.is_nested(kind.value_type)


def _is_flat_list(value: Any) -> bool:
    return isinstance(value, list) and not any(isinstance(item, list | dict) for item in value)


def _parse_by_line(lines: Lines, features: Features, file: SourceFile) -> pa.RecordBatch:
    """The same line by line: slower, but it knows the line that is wrong, and turns values into strings."""
    places, objects = zip(*_objects(lines, file), strict=True)
    columns = {
        name: _column([found.get(name) for found in objects], name, feature, places)
        for name, feature in features.items()
    }
    new = {name: pa.nulls(len(objects)) for found in objects for name in found if name not in features}
    return pa.record_batch(columns | new)


def _column(values: list[Any], name: str, feature: Feature, places: tuple[str, ...]) -> pa.Array:
    if feature.dtype == "string":
        values = [[_text(item) for item in v] if feature.is_list and isinstance(v, list) else _text(v) for v in values]
    try:
        return _array(values, feature)
    except _MISFITS:
        for where, value in zip(places, values, strict=True):
            try:
                _array([value], feature)
            except _MISFITS as error:
                raise ExampleError(misfit(where, name, repr(value), feature)) from error
        raise


# ArrowInvalid, a ValueError: out of the range of the type. UnicodeEncodeError, one too: half a surrogate pair.
_MISFITS = (ValueError, TypeError, OverflowError)


def _array(values: list[Any], feature: Feature) -> pa.Array:
    if not all(value is None or _has_type(value, feature) for value in values):
        raise TypeError("a value of another type")
    if feature.dtype == "float32":  # whole numbers too, as Arrow parses them
        values = [[float(item) for item in v] if isinstance(v, list) else v if v is None else float(v) for v in values]
    return pa.array(values, _parsed_type(feature))


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


def _objects(lines: Lines, file: SourceFile) -> Iterator[tuple[str, dict[str, Any]]]:
    """The object of each line and its place; empty lines hold none."""
    for where, line in lines.each(file):
        try:
            found = json.loads(line.decode(), parse_float=_Float, object_pairs_hook=_object)
        except UnicodeDecodeError as error:
            raise SourceError(not_utf8(where)) from error
        except (ValueError, RecursionError) as error:
            raise SourceError(f"{where}: {line[:80]!r} is no JSON: {error}. Mend the line") from error
        if not isinstance(found, dict):
            raise SourceError(f"{where}: {line[:80]!r} is no JSON object. Write one object a line")
        yield where, found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(found := dict(pairs)) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(n for n in names if names.count(n) > 1)!r} stands twice in an object")
    return found
