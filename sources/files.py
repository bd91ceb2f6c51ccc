"""The files of a source: found, named, fingerprinted and opened."""

from __future__ import annotations

import functools
import glob
import hashlib
import os
from abc import ABC
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import google_crc32c
import pyarrow as pa
from pydantic import Field

from groupstream import SourceError
from sources.source import SELECTION_HELP, Piece, Selection, Source

_BLOCK_BYTES = 4 << 20


class FileSource(Source, ABC):
    """A source that is files. A piece is a file."""

    paths: list[str] = Field(min_length=1, description='Files or patterns, such as "news/*.jsonl.gz".')
    features: Selection = Field(None, description=SELECTION_HELP)

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


def find_files(patterns: list[str]) -> list[Path]:
    """The files that the patterns name, sorted, each once.

    Raises:
        SourceError: a pattern that names no file.
    """
    found: set[Path] = set()
    for pattern in patterns:
        matches = [Path(p) for p in glob.glob(str(Path(pattern).expanduser()), recursive=True)]
        files = [p for p in matches if p.is_file()]
        if not files:
            what = (
                "is a folder; name its files, such as"
                if any(p.is_dir() for p in matches)
                else "names no file, seen from"
            )
            way_out = f"{pattern.rstrip('/')}/*" if matches else f"{Path.cwd()}"
            raise SourceError(f"source path {pattern!r} {what} {way_out}. Check source.paths")
        found.update(files)
    return sorted(found)


def names_of(files: list[Path]) -> list[str]:
    """Short distinct names: the paths below the folder that all share."""
    base = os.path.commonpath([f.absolute().parent for f in files])
    return [f.absolute().relative_to(base).as_posix() for f in files]


def identity_of(files: list[Path]) -> dict[str, Any]:
    """The identity of the content of the files: their names, sizes and CRC32Cs. Reads every byte.

    CRC32C, since it costs less than the disk, and since buckets keep it for each object.
    """
    lines = [
        f"{name}\t{file.stat().st_size}\t{_crc32c(file, file.stat().st_mtime_ns)}"
        for name, file in zip(names_of(files), files, strict=True)
    ]
    return {
        "num_files": len(files),
        "num_bytes": sum(f.stat().st_size for f in files),
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
            yield stream
    except (OSError, EOFError) as error:
        raise SourceError(unreadable(file, error)) from error


def unreadable(file: Path, error: Exception) -> str:
    """The message for a file that cannot be read."""
    text = str(error).strip().rstrip(".") or type(error).__name__
    size = file.stat().st_size if file.exists() else 0
    return f"cannot read {file} ({size:,} bytes): {text}. Fetch the file again, or leave it out of source.paths"


@functools.lru_cache(maxsize=1 << 16)
def _crc32c(file: Path, modified_at_ns: int) -> str:
    """The checksum of a file; kept for as long as the file is as it was, since a command may ask twice."""
    crc = google_crc32c.Checksum()
    with open(file, "rb") as handle:
        while block := handle.read(_BLOCK_BYTES):
            crc.update(block)
    return crc.digest().hex()
