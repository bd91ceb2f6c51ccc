"""The files of a source: found, named, fingerprinted and opened."""

from __future__ import annotations

import functools
import glob
import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import google_crc32c
import pyarrow as pa
from pydantic import Field

from groupstream import SourceError
from groupstream.features import Features
from sources.selection import conform
from sources.source import SELECTION_HELP, Piece, Selection, Source, SourceBatch

_BLOCK_BYTES = 4 << 20


class FileSource(Source, ABC):
    """A source that is files. A piece is a file.

    Attributes:
        unit: what an example of a file is called in errors.
    """

    places: ClassVar[frozenset[str]] = frozenset(["paths"])
    unit: ClassVar[str] = "row"

    paths: list[str] = Field(min_length=1, description='Files or patterns, such as "news/*.jsonl.gz".')
    features: Selection = Field(None, description=SELECTION_HELP)

    @abstractmethod
    def read_file(self, file: Path, features: Features) -> Iterator[pa.RecordBatch]:
        """The examples of a file, in order; their columns need not have the types of `features` yet."""

    def files(self) -> list[Path]:
        """The files, sorted."""
        return find_files(self.paths)

    def pieces(self) -> list[Piece]:
        """See `Source.pieces`."""
        files = self.files()
        return [Piece(i, name, file) for i, (name, file) in enumerate(zip(names_of(files), files, strict=True))]

    def identity(self) -> dict[str, Any]:
        """See `Source.identity`."""
        return identity_of(self.files())

    def read(self, piece: Piece, features: Features, needed: frozenset[str]) -> Iterator[SourceBatch]:
        """See `Source.read`."""
        number = 1
        for batch in self.read_file(piece.part, features):
            yield SourceBatch(conform(batch, features, f"{piece.label}, {self.unit}", number))
            number += len(batch)


def find_files(patterns: list[str]) -> list[Path]:
    """The files that the patterns name, sorted, each once, as absolute paths.

    Raises:
        SourceError: a pattern that names no file.
    """
    found: set[Path] = set()
    for pattern in patterns:
        matches = _matches(pattern)
        files = {p.absolute() for p in matches if p.is_file()}  # not resolved: links have names too
        if not files and matches:
            raise SourceError(
                f"source path {pattern!r} is a folder; name its files, such as {pattern.rstrip('/')}/*. "
                "Check source.paths"
            )
        if not files:
            raise SourceError(f"source path {pattern!r} names no file, seen from {Path.cwd()}. Check source.paths")
        found |= files
    return sorted(found)


def _matches(pattern: str) -> list[Path]:
    path = Path(pattern).expanduser()
    if path.exists():  # a name may hold what means something in a pattern, such as [1]
        return [path]
    return [Path(p) for p in glob.glob(str(path), recursive=True)]


def names_of(files: list[Path]) -> list[str]:
    """Short distinct names: the paths below the folder that all share."""
    base = os.path.commonpath([f.absolute().parent for f in files])
    return [f.absolute().relative_to(base).as_posix() for f in files]


def identity_of(files: list[Path]) -> dict[str, Any]:
    """The identity of the content of the files: their names, sizes and CRC32Cs. Reads every byte.

    CRC32C, since it costs less than the disk, and since buckets keep it for each object.
    """
    stats = [file.stat() for file in files]
    lines = [
        f"{name}\t{stat.st_size}\t{_crc32c(file, stat.st_size, stat.st_mtime_ns)}"
        for name, file, stat in zip(names_of(files), files, stats, strict=True)
    ]
    return {
        "num_files": len(files),
        "num_bytes": sum(stat.st_size for stat in stats),
        "fingerprint": hashlib.sha256("\n".join(lines).encode()).hexdigest(),
    }


@contextmanager
def opened(file: Path) -> Iterator[pa.NativeFile]:
    """A stream of the bytes of a file; .gz and .zst are decompressed.

    Raises:
        SourceError: it cannot be read; a compressed file that is cut short or broken.
    """
    try:
        with pa.input_stream(str(file), compression="detect") as stream:
            if file.suffix in (".gz", ".zst") and not file.stat().st_size:
                raise EOFError("an empty file, where even no data takes some bytes when it is compressed")
            yield stream
    except (OSError, EOFError) as error:
        raise SourceError(unreadable(file, error)) from error


def unreadable(file: Path, error: Exception) -> str:
    """The message for a file that cannot be read."""
    size = file.stat().st_size if file.exists() else 0
    what = f"cannot read {file} ({size:,} bytes): {first_line(error)}"
    return f"{what}. Fetch the file again, or leave it out of source.paths"


def first_line(error: Exception) -> str:
    """What an error of a library says, in one line of ours."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")[:300]


def not_utf8(where: str) -> str:
    """The message for text in another encoding."""
    return f"{where} is not UTF-8 text. Convert the file, such as with: iconv -f LATIN1 -t UTF-8 OLD > NEW"


@functools.lru_cache(maxsize=1 << 16)
def _crc32c(file: Path, size_bytes: int, modified_at_ns: int) -> str:
    """The checksum of a file; kept for as long as the file is as it was, since a command may ask twice."""
    crc = google_crc32c.Checksum()
    with open(file, "rb") as handle:
        while block := handle.read(_BLOCK_BYTES):
            crc.update(block)
    return crc.digest().hex()
