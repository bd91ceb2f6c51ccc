"""Plain text."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import ConfigDict, Field

from groupstream import SourceError
from groupstream.features import Features
from sources.batch_size import MAX_BATCH_EXAMPLES
from sources.files import FilePart, FileSource, SourceFile, opened
from sources.lines import line_blocks, spans_of_lines
from sources.paragraphs import blank_lines, iter_paragraphs

_SCHEMA = pa.schema([("text", pa.string())])
_MAX_EXAMPLE_BYTES = (1 << 31) - 1  # of Arrow's strings
_BLOCK_BYTES = 8 << 20


class Text(FileSource):
    """Text files: one example for each line, for each paragraph or for each file. A piece is a file, or 64 MiB of one.

    Features: text, and path, the name of the file. A line ends with LF or CRLF, and within an example CRLF becomes
    LF. Paragraphs are separated by lines that are empty or blank; such lines are no examples. A file without any text
    is an example, with an empty text. The number of a line is not kept: a part of a file does not know it.
    """

    model_config = ConfigDict(title="Text")

    kind: Literal["text"] = "text"
    unit: ClassVar[str] = "example"
    examples: Literal["line", "paragraph", "file"] = Field(
        "line", description="One example for each line, for each paragraph (blank lines stand between), or each file."
    )
    path_feature: str | None = Field(
        "path",
        min_length=1,
        description="The name of the feature with the name of the file, such as austen/emma.txt, below the folder that "
        "all files share. It is there whatever the selection of features says; null: no such feature.",
    )

    def file_schema(self) -> pa.Schema:
        """See `FileSource.file_schema`."""
        return _SCHEMA

    def spans(self, file: SourceFile) -> list[tuple[int, int | None]]:
        """See `FileSource.spans`."""
        return super().spans(file) if self.examples == "file" else spans_of_lines(file)

    def read_part(self, part: FilePart, features: Features) -> Iterator[pa.RecordBatch]:
        """See `FileSource.read_part`."""
        for texts in _READERS[self.examples](part):
            for start in range(0, len(texts), MAX_BATCH_EXAMPLES):
                yield pa.record_batch({"text": texts.slice(start, MAX_BATCH_EXAMPLES)})


def _lines(part: FilePart) -> Iterator[pa.Array]:
    """The lines that are not blank, as they are: whether they are UTF-8 is looked at later."""
    for block in line_blocks(part):
        text = block.text.replace(b"\r\n", b"\n")
        ends, is_blank = blank_lines(text)
        offsets = np.concatenate([[0], ends - np.arange(len(ends))])  # in the text without its newlines
        buffers = [None, pa.py_buffer(offsets.astype(np.int64)), pa.py_buffer(text.translate(None, b"\n"))]
        lines = pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(ends), buffers)
        yield lines.filter(pa.array(~is_blank))


def _paragraphs(part: FilePart) -> Iterator[pa.Array]:
    for texts in iter_paragraphs(part):
        yield pa.array(texts, pa.large_binary())


def _file(part: FilePart) -> Iterator[pa.Array]:
    blocks, num_bytes = [], 0
    with opened(part.file) as stream:
        while block := stream.read(_BLOCK_BYTES):
            blocks.append(block)
            num_bytes += len(block)
            if num_bytes > _MAX_EXAMPLE_BYTES:
                raise SourceError(
                    f"{part.file} has more than {_MAX_EXAMPLE_BYTES:,} bytes, which is the longest text of an example. "
                    "Use examples: paragraph, or examples: line"
                )
    text = b"".join(blocks).removeprefix(codecs.BOM_UTF8).replace(b"\r\n", b"\n")
    yield pa.array([text], pa.large_binary())


_READERS: dict[str, Callable[[FilePart], Iterator[pa.Array]]] = {
    "line": _lines,
    "paragraph": _paragraphs,
    "file": _file,
}
