"""Parquet files."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, ClassVar, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ConfigDict

from groupstream import SourceError
from groupstream.features import Features
from sources.batch_size import FIRST_BATCH_EXAMPLES, examples_a_batch
from sources.choice import declared_dtypes, names_in_source
from sources.files import FilePart, FileSource, SourceFile, seekable, unreadable
from sources.image_columns import (
    bytes_of_images,
    is_image_struct,
    refuse_other_formats,
    with_formats,
    without_paths,
)
from sources.selection import refuse_new_features
from sources.source import Piece

_PIECE_BYTES = 64 << 20  # of row groups that are read together, uncompressed
_READ_BYTES = 4 << 20  # of a column at once, of a file that lies elsewhere
_FOOTERS_AT_ONCE = 16


class Parquet(FileSource):
    """Parquet files; only the features that are kept are read.

    A piece is a row group, or several small ones of about 64 MiB together. A nested column is JSON where it is
    declared a string. The images and class names that Hugging Face datasets writes are known: an image is stored as
    its encoded bytes.
    """

    model_config = ConfigDict(title="Parquet")

    kind: Literal["parquet"] = "parquet"
    span_unit: ClassVar[str] = "row group"

    def file_schema(self) -> pa.Schema:
        """That of the first file. See `FileSource.file_schema`."""
        return without_paths(_footer(self.files()[0]).schema.to_arrow_schema())

    def available_features(self) -> Features:
        """See `Source.available_features`."""
        found = dict(super().available_features())
        first = self.files()[0]
        schema = _footer(first).schema.to_arrow_schema()
        names = names_in_source(self.features)
        labels = _class_names(schema)
        for name, feature in found.items():
            if feature.dtype == "int64" and (old := names.get(name, name)) in labels:
                found[name] = feature.model_copy(update={"labels": labels[old]})
        declared = declared_dtypes(self.features)
        images = [field.name for field in schema if is_image_struct(field.type) and field.name not in declared]
        wanted = {name: old for name in found if (old := names.get(name, name)) in images}
        head = _head(first, sorted(wanted.values())) if wanted else None
        return found if head is None else with_formats(found, {name: head.column(old) for name, old in wanted.items()})

    def pieces(self) -> list[Piece]:
        """Reads the footer of each file. See `Source.pieces`."""
        files = self.files()
        if any(file.local_path is None for file in files):
            with ThreadPoolExecutor(_FOOTERS_AT_ONCE) as threads:
                list(threads.map(_footer, files))  # they are kept
        return super().pieces()

    def spans(self, file: SourceFile) -> list[tuple[int, int | None]]:
        """Ranges of row groups. See `FileSource.spans`."""
        footer = _footer(file)
        spans: list[tuple[int, int | None]] = []
        start = size = 0
        for i in range(footer.num_row_groups):
            group_bytes = footer.row_group(i).total_byte_size
            if i > start and size + group_bytes > _PIECE_BYTES:
                spans.append((start, i))
                start, size = i, 0
            size += group_bytes
        return [*spans, (start, footer.num_row_groups)]

    def known_num_examples(self) -> int | None:
        """See `Source.known_num_examples`."""
        return sum(_footer(file).num_rows for file in self.files())

    def read_part(self, part: FilePart, features: Features) -> Iterator[pa.RecordBatch]:
        """See `FileSource.read_part`."""
        with _opened(part.file) as file:
            names = file.schema_arrow.names
            if self.features is None:
                refuse_new_features(names, features, f"{part.file}, schema")
            columns = [name for name in features if name in names]
            groups = list(range(part.start, file.num_row_groups if part.end is None else part.end))
            number = 1
            is_local = part.file.local_path is not None  # what lies elsewhere is read in one thread
            for batch in _iter_batches(file, groups, columns, is_local):
                plain = bytes_of_images(batch, f"{part.name}, row", number)
                refuse_other_formats(plain, features, f"{part.name}, row", number)
                yield plain
                number += len(batch)


@contextmanager
def _opened(file: SourceFile) -> Iterator[pq.ParquetFile]:
    with seekable(file) as stream:
        try:
            # Without pre_buffer, which holds all row groups that are read.
            yield pq.ParquetFile(stream, pre_buffer=False, buffer_size=0 if file.local_path else _READ_BYTES)
        except pa.ArrowException as error:
            raise SourceError(unreadable(file, error)) from error


def _footer(file: SourceFile) -> Any:
    local = file.local_path
    return _kept_footer(file, local.stat().st_mtime_ns if local else 0)


@functools.lru_cache(maxsize=1 << 12)
def _kept_footer(file: SourceFile, modified_at_ns: int) -> Any:
    """Kept for as long as the file is as it was, since a plan asks more than once."""
    with _opened(file) as opened:
        return opened.metadata


def _head(file: SourceFile, columns: list[str]) -> pa.RecordBatch | None:
    with _opened(file) as opened:
        batch = next(opened.iter_batches(FIRST_BATCH_EXAMPLES, columns=columns, use_threads=False), None)
        return None if batch is None else bytes_of_images(batch, f"{file.name}, row", 1)


def _iter_batches(
    file: pq.ParquetFile, groups: list[int], columns: list[str], use_threads: bool
) -> Iterator[pa.RecordBatch]:
    if columns:
        size = _batch_examples(file.metadata, groups, columns)
        yield from file.iter_batches(size, row_groups=groups, columns=columns, use_threads=use_threads)
        return
    for group in groups:  # only the name of the file is asked for; pyarrow gives no batch without columns
        num_rows = file.metadata.row_group(group).num_rows
        yield pa.RecordBatch.from_struct_array(pa.Array.from_buffers(pa.struct([]), num_rows, [None]))


def _batch_examples(footer: Any, groups: list[int], columns: list[str]) -> int:
    num_examples = num_bytes = 0
    for group in map(footer.row_group, groups):
        num_examples += group.num_rows
        for column in map(group.column, range(group.num_columns)):
            if column.path_in_schema.split(".")[0] in columns or column.path_in_schema in columns:
                num_bytes += column.total_uncompressed_size
    return examples_a_batch(max(num_examples, 1), num_bytes)


def _class_names(schema: pa.Schema) -> dict[str, tuple[str, ...]]:
    """The names of classes, as Hugging Face datasets notes them in the metadata of a schema."""
    try:
        noted = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        kinds = {name: kind.get("feature", kind) for name, kind in noted.items()}
        return {name: tuple(kind["names"]) for name, kind in kinds.items() if kind.get("_type") == "ClassLabel"}
    except (KeyError, ValueError, TypeError, AttributeError):
        return {}
