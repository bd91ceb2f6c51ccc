"""Sources that are files. What such a source needs to find, name and open them stands here under one roof."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa
from pydantic import Field

from groupstream import SpecError
from groupstream.features import Features
from sources.choice import SELECTION_HELP, FeatureChoice, Selection, names_in_source
from sources.globs import find_files
from sources.opening import first_line, is_compressed, not_utf8, opened, seekable, unreadable
from sources.selection import conform, features_in_source, selected_features
from sources.source import Piece, Source, SourceBatch
from sources.source_file import SourceFile, identity_of, local_file, names_of

__all__ = [
    "FilePart",
    "FileSource",
    "SourceFile",
    "find_files",
    "first_line",
    "identity_of",
    "is_compressed",
    "local_file",
    "names_of",
    "not_utf8",
    "opened",
    "seekable",
    "unreadable",
]


@dataclass(frozen=True)
class FilePart:
    """A file, or a part of one that is read without the rest.

    Attributes:
        name: of the file, below the folder that all files of the source share.
        start: where the part begins: a byte, or what else the source counts in.
        end: where the next one begins; None for the last.
    """

    file: SourceFile
    name: str
    start: int = 0
    end: int | None = None


class FileSource(Source, ABC):
    """A source that is files. A piece is a file, or a part of one that `spans` tells.

    Attributes:
        unit: what an example of a file is called in errors.
        span_unit: what `spans` counts in.
    """

    places: ClassVar[frozenset[str]] = frozenset(["paths"])
    unit: ClassVar[str] = "row"
    span_unit: ClassVar[str] = "byte"

    paths: list[str] = Field(
        min_length=1,
        description='Files or patterns, such as "news/*.jsonl.gz" or "gs://bucket/news/**/*.jsonl.gz"; '
        "also s3:// and, file by file, https://.",
    )
    features: Selection = Field(None, description=SELECTION_HELP)
    path_feature: str | None = Field(
        None,
        min_length=1,
        description="Adds a feature of this name: the name of the file, such as cats.csv, below the folder that all "
        "files share. It is added whatever the selection of features says.",
    )

    @abstractmethod
    def file_schema(self) -> pa.Schema:
        """The features of the files, before any are selected. Reads as little as it can."""

    @abstractmethod
    def read_part(self, part: FilePart, features: Features) -> Iterator[pa.RecordBatch]:
        """The examples of a part of a file, in order.

        Args:
            features: the features to give, under the names that they have in the files; the columns need not have
                their types yet.
        """

    def spans(self, file: SourceFile) -> list[tuple[int, int | None]]:
        """Start and end of each part of a file. They depend on the file alone."""
        return [(0, None)]

    def files(self) -> list[SourceFile]:
        """The files, sorted."""
        return find_files(self.paths)

    def available_features(self) -> Features:
        """See `Source.available_features`."""
        schema = self.file_schema()
        if self.path_feature is None:
            return selected_features(self.features, schema)
        if self.path_feature in schema.names:
            raise SpecError(
                f"source.path_feature {self.path_feature!r} is the name of a feature of the files; choose another one"
            )
        return selected_features(self._wanted(), schema.append(pa.field(self.path_feature, pa.string())))

    def pieces(self) -> list[Piece]:
        """See `Source.pieces`."""
        files = self.files()
        parts = [
            FilePart(file, name, start, end)
            for file, name in zip(files, names_of(files), strict=True)
            for start, end in self.spans(file)
        ]
        return [Piece(i, self._label(part), part) for i, part in enumerate(parts)]

    def identity(self) -> dict[str, Any]:
        """See `Source.identity`."""
        return identity_of(self.files())

    def read(self, piece: Piece, features: Features, needed: frozenset[str]) -> Iterator[SourceBatch]:
        """See `Source.read`."""
        part: FilePart = piece.part
        wanted = self._wanted()
        in_files = dict(features_in_source(wanted, features))
        has_path = self.path_feature is not None and in_files.pop(self.path_feature, None) is not None
        number = 1
        for batch in self.read_part(part, in_files):
            columns = _with_name(batch, str(self.path_feature), part.name) if has_path else batch
            yield SourceBatch(conform(columns, features, f"{piece.label}, {self.unit}", number, wanted))
            number += len(batch)

    def _wanted(self) -> Selection:
        """The selection, with the name of the file."""
        name, wanted = self.path_feature, self.features
        if name is None or wanted is None or name in names_in_source(wanted).values():
            return wanted
        if name in names_in_source(wanted):
            raise SpecError(
                f"source.features gives the name {name!r} to another feature, and source.path_feature to the name of "
                "the file; choose another name for one of them"
            )
        return {**wanted, name: FeatureChoice()} if isinstance(wanted, dict) else [*wanted, name]

    def _label(self, part: FilePart) -> str:
        return f"{part.name} from {self.span_unit} {part.start:,}" if part.start else part.name


def _with_name(batch: pa.RecordBatch, column: str, name: str) -> pa.RecordBatch:
    return batch.append_column(column, pa.repeat(pa.scalar(name, pa.string()), len(batch)))
