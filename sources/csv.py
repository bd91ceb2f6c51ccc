"""Comma-separated values, as RFC 4180 has them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.csv
from pydantic import ConfigDict, Field

from groupstream import SourceError
from groupstream.features import Features
from sources.files import FileSource, opened, unreadable
from sources.selection import conform, selected_features
from sources.source import Piece, SourceBatch

_BLOCK_BYTES = 8 << 20


class CommaSeparated(FileSource):
    """CSV files with a header line. A piece is a file.

    Quoted fields may hold newlines; a byte order mark is skipped. Every feature is text unless source.features gives
    it a type: types are never guessed from the values, since the first file may not show what the last one holds.
    """

    model_config = ConfigDict(title="CSV")

    kind: Literal["csv"] = "csv"
    delimiter: str = Field(",", min_length=1, max_length=1, description="What stands between two fields.")
    max_row_bytes: int = Field(
        _BLOCK_BYTES, ge=1 << 10, description="The longest row, newlines inside its fields included."
    )

    def available_features(self) -> Features:
        """The header of the first file. See `Source.available_features`."""
        names = self._header(self.files()[0])
        return selected_features(self.features, pa.schema([(name, pa.string()) for name in names]))

    def read(self, piece: Piece, features: Features, needed: frozenset[str]) -> Iterator[SourceBatch]:
        """See `Source.read`."""
        row = 0
        for batch in self._read_blocks(piece.part):
            yield SourceBatch(conform(batch, features, f"{piece.label}, row {row + 1}"))
            row += len(batch)

    def _read_blocks(self, file: Path) -> Iterator[pa.RecordBatch]:
        types = dict.fromkeys(self._header(file), pa.string())
        with opened(file) as stream:
            try:
                yield from pa.csv.open_csv(
                    stream,
                    pa.csv.ReadOptions(block_size=self.max_row_bytes),
                    pa.csv.ParseOptions(delimiter=self.delimiter, newlines_in_values=True),
                    pa.csv.ConvertOptions(column_types=types, strings_can_be_null=False),
                )
            except pa.ArrowInvalid as error:
                raise SourceError(unreadable(file, error)) from error

    def _header(self, file: Path) -> list[str]:
        with opened(file) as stream:
            text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
            names = next(csv.reader(text, delimiter=self.delimiter), [])
            text.detach()
        if not names or len(set(names)) < len(names):
            what = "names a column twice" if names else "is missing"
            raise SourceError(
                f"{file}: the header line {what}: {','.join(names)!r}. Give each column a name of its own"
            )
        return names
