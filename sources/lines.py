"""Whole lines of a file or of a part of it: how large text files are cut into pieces.

A plain file is cut at every 64 MiB or so, wherever that is; a line belongs to the part in which it begins. So a part
skips the line that its first byte is within, and reads its last line to the end. A compressed file has one part.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass

from sources.files import FilePart, SourceFile, is_compressed, opened
from sources.opening import BEYOND_BYTES

PART_BYTES = 64 << 20
BLOCK_BYTES = 8 << 20


def spans_of_lines(file: SourceFile, part_bytes: int = PART_BYTES) -> list[tuple[int, int | None]]:
    """Where the parts of a file begin and end: equal parts, of about `part_bytes`. They depend on its size alone."""
    num_parts = 1 if is_compressed(file) else max(1, round(file.size_bytes / part_bytes))
    starts = [file.size_bytes * i // num_parts for i in range(num_parts)]
    return list(zip(starts, [*starts[1:], None], strict=True))


@dataclass(frozen=True)
class Lines:
    """Some whole lines; only the last line of a file may lack its newline.

    Attributes:
        text: the lines, without a byte order mark.
        line: the number in the file of the first of them; None where the part begins later in the file.
        offset: the byte of the file at which the first of them begins; in a compressed file, when decompressed.
    """

    text: bytes
    line: int | None
    offset: int

    def each(self, file: SourceFile) -> Iterator[tuple[str, bytes]]:
        """Each line that is not blank, and what names it in errors.

        That is its number; in a later part of a file the byte where it begins, which costs no reading of all before.
        """
        offset = self.offset
        for number, line in enumerate(self.text.split(b"\n")):
            if line.strip():
                place = f"line at byte {offset:,}" if self.line is None else f"line {self.line + number}"
                yield f"{file}, {place}", line
            offset += len(line) + 1


def line_blocks(part: FilePart, block_bytes: int = BLOCK_BYTES) -> Iterator[Lines]:
    """The lines of a part, about 8 MiB at a time or one longer line. Blocks without a word are left out.

    Raises:
        SourceError: the file cannot be read.
    """
    line: int | None = None if part.start else 1
    for offset, block in whole_lines(part, block_bytes):
        text = block.removeprefix(codecs.BOM_UTF8) if offset == 0 else block
        if text and not text.isspace():
            yield Lines(text, line, offset + len(block) - len(text))
        if line is not None:
            line += block.count(b"\n")


def whole_lines(part: FilePart, block_bytes: int, beyond: bool = False) -> Iterator[tuple[int, bytes]]:
    """The same as they stand in the file: the offset and the bytes of each block.

    Args:
        beyond: go on to the end of the file; whoever asks knows where to stop.
    """
    pending: list[bytes] = []  # of a line that is not whole yet
    offset = 0
    for position, data, is_last in _chunks(part, block_bytes, beyond):
        if not pending:
            offset = position
        if end := len(data) if is_last else data.rfind(b"\n") + 1:
            yield offset, b"".join([*pending, memoryview(data)[:end]])
            pending, offset = [], position + end
        if end < len(data):
            pending.append(data[end:])


def _chunks(part: FilePart, block_bytes: int, beyond: bool) -> Iterator[tuple[int, bytes, bool]]:
    """Offset and bytes of each chunk of a part, and whether it is the last."""
    chunks = _cut_chunks(part, block_bytes, None if beyond else part.end)
    following = next(chunks, None)
    while following is not None:
        position, data = following
        following = next(chunks, None)
        yield position, data, following is None


def _cut_chunks(part: FilePart, block_bytes: int, end: int | None) -> Iterator[tuple[int, bytes]]:
    """The bytes from the first line that begins at the start or later to the first that begins at `end` or later."""
    position = max(0, part.start - 1)  # a line begins at `start` where the byte before it is a newline
    begun = part.start == 0
    with opened(part.file, position, part.end) as stream:
        while data := stream.read(_size_to_read(position, end, block_bytes)):
            if not begun:
                first = data.find(b"\n") + 1
                begun = first > 0
                position += first or len(data)
                data = data[first:] if begun else b""
                if end is not None and position >= end:
                    return
            if end is not None and (stop := data.find(b"\n", max(0, end - 1 - position)) + 1):
                yield position, data[:stop]
                return
            if data:
                yield position, data
            position += len(data)


def _size_to_read(position: int, end: int | None, block_bytes: int) -> int:
    """Little beyond the end: as a rule the last line goes on there only for a bit."""
    return block_bytes if end is None else min(block_bytes, max(end - position, 0) + BEYOND_BYTES)
