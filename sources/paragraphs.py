"""Paragraphs of a file or of a part of it: what stands between blank lines.

Where a file is cut is moved on to the next blank line, as `lines` moves it to the next newline: a paragraph belongs to
the part in which the last blank line before it begins, and the first paragraph of a file to its first part.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from sources.files import FilePart
from sources.lines import BLOCK_BYTES, whole_lines

_BLANK_LINE = re.compile(rb"^[^\S\n]*\n", re.MULTILINE)
_BLANK_LINES = re.compile(rb"(?:^[^\S\n]*\n)+", re.MULTILINE)


def iter_paragraphs(part: FilePart, block_bytes: int = BLOCK_BYTES) -> Iterator[list[bytes]]:
    """The paragraphs of a part, those of about 8 MiB at a time, with LF between lines and none at the end.

    Raises:
        SourceError: the file cannot be read.
    """
    pending: list[bytes] = []  # of a paragraph that may go on
    for block in _cut_blocks(part, block_bytes):
        first, *others = _BLANK_LINES.split(block)
        pending.append(first)
        if others:
            yield _not_blank([b"".join(pending), *others[:-1]])
            pending = [others[-1]]
    yield _not_blank([b"".join(pending)])


def _not_blank(texts: list[bytes]) -> list[bytes]:
    return [text.removesuffix(b"\n") for text in texts if text.strip()]


def _cut_blocks(part: FilePart, block_bytes: int) -> Iterator[bytes]:
    begun = part.start == 0
    for offset, block in whole_lines(part, block_bytes, beyond=True):
        first, last = 0, None
        if not begun:
            blank = _BLANK_LINE.search(block)
            if blank is None:
                continue
            begun, first = True, blank.end()
            if part.end is not None and offset + blank.start() >= part.end:
                return
        if part.end is not None:
            blank = _BLANK_LINE.search(block, max(first, part.end - offset))
            last = blank and blank.end()
        text = block[first:last]
        yield (text.removeprefix(codecs.BOM_UTF8) if offset + first == 0 else text).replace(b"\r\n", b"\n")
        if last is not None:
            return
