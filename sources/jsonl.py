"""Lines of JSON."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.json
from pydantic import ConfigDict

from groupstream import ExampleError, SourceError
from groupstream.features import Features, arrow_schema
from sources.files import FileSource, opened, unreadable
from sources.selection import conform, selected_features
from sources.source import Piece, SourceBatch

_BLOCK_BYTES = 8 << 20


class JsonLines(FileSource):
    """Files with one JSON object a line; .gz and .zst are decompressed. A piece is a file."""

    model_config = ConfigDict(title="JSON lines")

    kind: Literal["jsonl"] = "jsonl"

    def available_features(self) -> Features:
        """The features of the first block of the first file. See `Source.available_features`."""
        first = self.files()[0]
        batch = next(_read_blocks(first, None), None)
        if batch is None:
            raise SourceError(f"{first} has no line; a source needs at least one example to know its features")
        return selected_features(self.features, batch.schema)

    def read(self, piece: Piece, features: Features, needed: frozenset[str]) -> Iterator[SourceBatch]:
        """See `Source.read`."""
        row = 0
        for batch in _read_blocks(piece.part, arrow_schema(features)):
            where = f"{piece.label}, line {row + 1}"
            if self.features is None:
                _refuse_new_features(batch.schema.names, features, where)
            yield SourceBatch(conform(batch, features, where))
            row += len(batch)


def _read_blocks(file: Path, schema: pa.Schema | None) -> Iterator[pa.RecordBatch]:
    fields = (
        [] if schema is None else [f.with_nullable(True) for f in schema if not isinstance(f.type, pa.ExtensionType)]
    )
    parse = pa.json.ParseOptions(explicit_schema=pa.schema(fields), unexpected_field_behavior="infer")
    with opened(file) as stream:
        try:
            yield from pa.json.open_json(stream, pa.json.ReadOptions(block_size=_BLOCK_BYTES), parse)
        except pa.ArrowInvalid as error:
            if "Empty JSON" not in str(error):
                raise SourceError(unreadable(file, error)) from error


def _refuse_new_features(names: list[str], features: Features, where: str) -> None:
    if new := sorted(set(names) - set(features)):
        raise ExampleError(
            f"{where} and after: {', '.join(new)} appears here but not at the beginning of the source. "
            "Name the features to keep, with their types, under source.features"
        )
