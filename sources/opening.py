"""Opening the files of a source: as a stream, decompressed, or to read here and there."""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import google_crc32c
import pyarrow as pa

from groupstream import SourceError
from groupstream.stores.ranged_file import RangedFile
from sources.allowed import max_source_bytes, refuse_bomb
from sources.source_file import SourceFile, whole_range

_STREAM_BLOCK_BYTES = 8 << 20
_SEEK_BLOCK_BYTES = 1 << 20
_KEPT_BLOCKS = 4
_BUFFER_BYTES = 1  # none: a larger one would be filled with more than is asked for
BEYOND_BYTES = 1 << 16  # fetched after the likely end of a stream, for the line that goes on there
_CODECS = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}
_CRC32C = "crc32c:"


def is_compressed(file: SourceFile) -> bool:
    """Whether its ending says so: .gz, .zst and .bz2 do."""
    return file.suffix in _CODECS


@contextmanager
def opened(file: SourceFile, start: int = 0, end: int | None = None) -> Iterator[pa.NativeFile]:
    """A stream of the bytes of a file; .gz, .zst and .bz2 are decompressed.

    Of what lies elsewhere it holds two blocks of 8 MiB: one that is read, and the next that is fetched meanwhile. A
    file that is read from start to end is compared with the CRC32C that its bucket keeps.

    Args:
        start: where the stream begins, in a file that is not compressed.
        end: up to where it is likely to be read, so that no more is fetched ahead. The stream goes on after it.

    Raises:
        SourceError: it cannot be read; a compressed file that is cut short or broken.
        StoreError: what holds it cannot be reached, or does not allow it.
    """
    try:
        with ExitStack() as stack:
            raw = stack.enter_context(_raw_stream(file, start, end))
            if not is_compressed(file):
                yield raw
                return
            if not file.size_bytes:
                raise EOFError("an empty file, where even no data takes some bytes when it is compressed")
            plain = stack.enter_context(pa.CompressedInputStream(raw, _CODECS[file.suffix]))
            if max_source_bytes() is not None:
                plain = stack.enter_context(_bounded(plain, file))
            yield plain
    except (OSError, EOFError) as error:
        raise SourceError(unreadable(file, error)) from error


@contextmanager
def seekable(file: SourceFile, block_bytes: int = _SEEK_BLOCK_BYTES) -> Iterator[pa.NativeFile]:
    """A file to read here and there, as it is stored: for Parquet and for tars.

    On this machine it is mapped into memory. Of what lies elsewhere a read of at least `block_bytes` is one request;
    shorter ones are answered from blocks of that size, the last four of which are kept.

    Raises:
        SourceError: it cannot be read.
        StoreError: what holds it cannot be reached, or does not allow it.
    """
    try:
        with _native(file, block_bytes) as native:
            yield native
    except (OSError, EOFError) as error:
        raise SourceError(unreadable(file, error)) from error


def unreadable(file: SourceFile, error: Exception) -> str:
    """The message for a file that cannot be read."""
    reason = "it is not there any more" if isinstance(error, FileNotFoundError) else first_line(error)
    what = f"cannot read {file} ({file.size_bytes:,} bytes): {reason}"
    return f"{what}. Fetch the file again, or leave it out of source.paths"


def first_line(error: Exception) -> str:
    """What an error of a library says, in one line of ours."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")[:300]


def not_utf8(where: str) -> str:
    """The message for text in another encoding."""
    return f"{where} is not UTF-8 text. Convert the file, such as with: iconv -f LATIN1 -t UTF-8 OLD > NEW"


def _native(file: SourceFile, block_bytes: int) -> pa.NativeFile:
    if file.local_path is None:
        return pa.PythonFile(RangedFile(file.size_bytes, _CachedBlocks(file, block_bytes).read), mode="r")
    return pa.memory_map(file.address) if file.size_bytes else pa.OSFile(file.address)


@contextmanager
def _raw_stream(file: SourceFile, start: int, end: int | None) -> Iterator[pa.NativeFile]:
    if file.local_path is not None:
        with pa.OSFile(file.address) as local:
            local.seek(start)
            yield local
        return
    blocks = _blocks_ahead(file, start, file.size_bytes if end is None else end)
    try:
        # Arrow takes every Python file for one that can seek, but not what it buffers itself.
        with pa.BufferedInputStream(pa.PythonFile(_Stream(blocks), mode="r"), _BUFFER_BYTES) as stream:
            yield stream
    finally:
        blocks.close()


def _blocks_ahead(file: SourceFile, start: int, end: int) -> Any:
    """A generator of the blocks of a file from `start` on, each fetched while the one before is worked on."""
    crc = google_crc32c.Checksum()
    with ThreadPoolExecutor(1) as thread:
        following = _fetch(thread, file, start, end)
        position = start
        while following is not None:
            data = following.result()
            position += len(data)
            following = _fetch(thread, file, position, end) if position < end else None
            crc.update(data)
            yield data
            if following is None:
                following = _fetch(thread, file, position, end)
    if start == 0 and file.checksum and file.checksum.startswith(_CRC32C):
        _compare(file, crc.digest().hex())


def _fetch(thread: ThreadPoolExecutor, file: SourceFile, offset: int, end: int) -> Future[bytes] | None:
    likely = end + BEYOND_BYTES - offset  # not positive: the line goes on far beyond
    length = min(_STREAM_BLOCK_BYTES, likely if likely > 0 else _STREAM_BLOCK_BYTES, file.size_bytes - offset)
    return thread.submit(whole_range, file, offset, length) if length > 0 else None


def _compare(file: SourceFile, found: str) -> None:
    expected = str(file.checksum).removeprefix(_CRC32C)
    if found != expected:
        raise SourceError(
            f"{file} has CRC32C {found}, it had {expected} when it was found. Leave the files of a source as they are "
            "while it is read, and try again"
        )


def _bounded(stream: pa.NativeFile, file: SourceFile) -> pa.NativeFile:
    """The same, which refuses to give more than a source may have: a small file may be large when decompressed."""

    def blocks() -> Iterator[bytes]:
        total = 0
        while data := stream.read(_SEEK_BLOCK_BYTES):
            total += len(data)
            refuse_bomb(total, str(file))
            yield data

    return pa.BufferedInputStream(pa.PythonFile(_Stream(blocks()), mode="r"), _BUFFER_BYTES)


class _Stream(io.RawIOBase):
    """Blocks, as a file that is read once, from start to end."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        super().__init__()
        self._blocks = blocks
        self._rest = memoryview(b"")
        self._position = 0

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def read(self, size: int = -1) -> bytes:
        parts = []
        while size and (self._rest or self._next()):
            part = self._rest if size < 0 else self._rest[:size]
            parts.append(part)
            self._rest = self._rest[len(part) :]
            self._position += len(part)
            size -= len(part) if size > 0 else 0
        return bytes(parts[0]) if len(parts) == 1 else b"".join(parts)

    def _next(self) -> bool:
        self._rest = memoryview(next(self._blocks, b""))
        return bool(self._rest)


class _CachedBlocks:
    """Ranges of a file elsewhere, which small reads take from blocks that are kept. One thread at a time."""

    def __init__(self, file: SourceFile, block_bytes: int) -> None:
        self._file = file
        self._block_bytes = block_bytes
        self._blocks: OrderedDict[int, bytes] = OrderedDict()

    def read(self, start: int, size: int) -> bytes:
        if size >= self._block_bytes:
            return whole_range(self._file, start, size)
        end = start + size
        parts = []
        while start < end:
            index, skip = divmod(start, self._block_bytes)
            part = self._block(index)[skip : skip + end - start]
            parts.append(part)
            start += len(part)
        return b"".join(parts)

    def _block(self, index: int) -> bytes:
        with suppress(KeyError):
            self._blocks.move_to_end(index)
            return self._blocks[index]
        start = index * self._block_bytes
        block = whole_range(self._file, start, min(self._block_bytes, self._file.size_bytes - start))
        self._blocks[index] = block
        if len(self._blocks) > _KEPT_BLOCKS:
            self._blocks.popitem(last=False)
        return block
