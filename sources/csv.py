"""Comma-separated values, as RFC 4180 has them."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from typing import Any, Literal

import pyarrow as pa
import pyarrow.csv
from pydantic import ConfigDict, Field, field_validator

from groupstream import SourceError
from groupstream.features import Features
from sources.files import FilePart, FileSource, SourceFile, not_utf8, opened, unreadable
from sources.selection import refuse_new_features

_BLOCK_BYTES = 8 << 20
_HEADER_BYTES = 1 << 16  # that most headers do not exceed: of a file elsewhere no more is fetched for it


class CommaSeparated(FileSource):
    """CSV files with a header line. A piece is a file: none can be cut, since a newline may be within a field.

    Quoted fields may hold newlines; a byte order mark is skipped, and so are empty lines. Every feature is text unless
    source.features gives it a type: types are never guessed from the values, since the first file may not show what
    the last one holds.
    """

    model_config = ConfigDict(title="CSV")

    kind: Literal["csv"] = "csv"
    delimiter: str = Field(
        ",",
        min_length=1,
        max_length=1,
        description="What stands between two fields: one ASCII character.",
        json_schema_extra={"pattern": r"^[\x01-\x09\x0b\x0c\x0e-\x21\x23-\x7f]$"},
    )
    max_row_bytes: int = Field(
        _BLOCK_BYTES, ge=1 << 10, le=1 << 30, description="The longest row, newlines inside its fields included."
    )

    @field_validator("delimiter")
    @classmethod
    def _may_delimit(cls, delimiter: str) -> str:
        if not delimiter.isascii() or delimiter in '"\r\n\0':
            raise ValueError("write one ASCII character that is neither a double quote nor a newline, such as ;")
        return delimiter

    def file_schema(self) -> pa.Schema:
        """The header of the first file. See `FileSource.file_schema`."""
        return pa.schema([(name, pa.string()) for name in self._header(self.files()[0])])

    def read_part(self, part: FilePart, features: Features) -> Iterator[pa.RecordBatch]:
        """See `FileSource.read_part`."""
        file = part.file
        names = self._header(file)
        if self.features is None:
            refuse_new_features(names, features, f"{file}, header")
        bad_rows: list[Any] = []  # the first, as pyarrow found it

        def refuse(row: Any) -> str:
            bad_rows.append(row)
            return "error"

        with opened(file) as stream:
            try:
                yield from pa.csv.open_csv(
                    stream,
                    # One thread, as fast as two here: with more, pyarrow does not know the number of a bad row.
                    pa.csv.ReadOptions(block_size=self.max_row_bytes, use_threads=False),
                    pa.csv.ParseOptions(delimiter=self.delimiter, newlines_in_values=True, invalid_row_handler=refuse),
                    pa.csv.ConvertOptions(
                        include_columns=[name for name in features if name in names],
                        column_types=dict.fromkeys(names, pa.string()),
                        strings_can_be_null=False,
                        check_utf8=False,  # `conform` looks, and knows the row
                    ),
                )
            except pa.ArrowInvalid as error:
                if "Empty CSV" not in str(error):  # it is: the header ends the file, without a newline
                    raise SourceError(self._explain(file, error, bad_rows)) from error

    def _explain(self, file: SourceFile, error: pa.ArrowInvalid, bad_rows: list[Any]) -> str:
        if bad_rows:
            number, found, expected = (row := bad_rows[0]).number - 1, row.actual_columns, row.expected_columns
            return (
                f"{file}, row {number}: {found} fields where the header has {expected}: {row.text[:80]!r}. "
                f"Mend the row; a field with a {self.delimiter!r} or a newline stands in double quotes"
            )
        if "straddling" in str(error):
            return f"{file}: {_TOO_LONG.format('a row', self.max_row_bytes)}"
        return unreadable(file, error)

    def _header(self, file: SourceFile) -> list[str]:
        with opened(file, 0, _HEADER_BYTES) as stream:
            text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
            try:
                names = next(csv.reader(self._lines(text, file), delimiter=self.delimiter, strict=True), [])
            except csv.Error as error:
                raise SourceError(
                    f"{file}: the header line is broken: {error}. Mend it, or source.delimiter"
                ) from error
            finally:
                text.detach()
        _refuse_bad_names(names, file)
        return names

    def _lines(self, text: io.TextIOWrapper, file: SourceFile) -> Iterator[str]:
        """The lines of a header: more than one where a name holds a newline."""
        left = self.max_row_bytes
        while line := text.readline(left):
            left -= len(line)
            if left <= 0:
                raise SourceError(f"{file}: {_TOO_LONG.format('the header line', self.max_row_bytes)}")
            yield line


_TOO_LONG = "{} is longer than source.max_row_bytes, {:,} bytes; raise that, or look for a double quote never closed"


def _refuse_bad_names(names: list[str], file: SourceFile) -> None:
    if not names:
        raise SourceError(f"{file} has no header line. Write the names of the columns into its first line")
    if twice := sorted(name for name, count in Counter(names).items() if count > 1):
        raise SourceError(f"{file}: the header names {twice[0]!r} twice. Give each column a name of its own")
    if any("\udc80" <= letter <= "\udcff" for letter in "".join(names)):
        raise SourceError(not_utf8(f"{file}: the header line"))
