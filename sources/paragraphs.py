"""Paragraphs of a file or of a part of it: what stands between blank lines.

Where a file is cut is moved on to the next blank line, as `lines` moves it to the next newline: a paragraph belongs to
the part in which the last blank line before it begins, and the first paragraph of a file to its first part.
"""

from __future__ import annotations

import codecs
import itertools
import re
from collections.abc import Iterator

import numpy as np

from sources.files import FilePart
from sources.lines import BLOCK_BYTES, whole_lines

_BLANK_LINE = re.compile(rb"^[^\S\n]*\n", re.MULTILINE)
_IS_SPACE = np.isin(np.arange(256), np.frombuffer(b" \t\r\f\v", np.uint8))


def iter_paragraphs(part: FilePart, block_bytes: int = BLOCK_BYTES) -> Iterator[list[bytes]]:
    """The paragraphs of a part, those of about 8 MiB at a time, with LF between lines and none at the end.

    Raises:
        SourceError: the file cannot be read.
    """
    pending: list[bytes] = []  # of a paragraph that may go on
    for block in _cut_blocks(part, block_bytes):
        first, *others = _split(block)
        pending.append(first)
        if others:
            yield _not_blank([b"".join(pending), *others[:-1]])
            pending = [others[-1]]
    yield _not_blank([b"".join(pending)])


def blank_lines(text: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Where each line of a text ends, and which of them hold nothing but whitespace.

    Args:
        text: with LF at the ends of lines; not empty.

    Returns:
        int64[num_lines], the position of the newline, or the end of the text; bool[num_lines].
    """
    data = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(data == ord("\n"))
    if not text.endswith(b"\n"):
        ends = np.append(ends, len(text))
    starts = np.concatenate([[0], ends[:-1] + 1])
    is_blank = starts == ends
    may_be = ~is_blank & _IS_SPACE[data[np.minimum(starts, len(data) - 1)]] & _IS_SPACE[data[ends - 1]]
    for line in np.flatnonzero(may_be):
        is_blank[line] = not text[starts[line] : ends[line]].strip()
    return ends, is_blank


def _split(text: bytes) -> list[bytes]:
    """What stands before, between and after the runs of blank lines; the first and the last may be empty."""
    if not text:
        return [b""]
    ends, is_blank = blank_lines(text)
    changes = np.flatnonzero(np.diff(is_blank)) + 1  # the first line of each run but the first
    borders = [0, *(ends[changes - 1] + 1).tolist(), len(text)]
    runs = [text[start:end] for start, end in itertools.pairwise(borders)]
    if is_blank[0]:
        runs = [b"", *runs]
    if is_blank[-1]:
        runs.append(b"")
    return runs[::2]


def _not_blank(texts: list[bytes]) -> list[bytes]:
    return [text.removesuffix(b"\n") for text in texts if text and not text.isspace()]


def _cut_blocks(part: FilePart, block_bytes: int) -> Iterator[bytes]:
    begun = part.start == 0
    for offset, block in whole_lines(part, block_bytes, beyond=True):
        first, last = 0, None
        if not begun:
            blank = _BLANK_LINE.search(block)
            if blank is None and part.end is not None and offset + len(block) >= part.end:
                return  # no paragraph begins in it, and what follows is of other parts
            if blank is None:
                continue
            begun, first = True, blank.end()
            if part.end is not None and offset + blank.start() >= part.end:
                return
        if part.end is not None and offset + len(block) > part.end:
            blank = _BLANK_LINE.search(block, max(first, part.end - offset))
            last = blank and blank.end()
        text = block[first:last]
        yield (text.removeprefix(codecs.BOM_UTF8) if offset + first == 0 else text).replace(b"\r\n", b"\n")
        if last is not None:
            return
