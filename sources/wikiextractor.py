"""The output of WikiExtractor: articles between <doc ...> and </doc>."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterator
from typing import ClassVar, Literal

import pyarrow as pa
from pydantic import ConfigDict

from groupstream import SourceError
from groupstream.features import Features
from sources.files import FilePart, FileSource, SourceFile, not_utf8, opened

_OPENING = re.compile(r'<doc id="(?P<id>[^"]*)" (?:revid="[^"]*" )?url="(?P<url>[^"]*)" title="(?P<title>.*)">')
_SCHEMA = pa.schema([(name, pa.string()) for name in ("id", "url", "title", "text")])
_BATCH_EXAMPLES = 512


class WikiExtractor(FileSource):
    """One example an article: id, url, title, text. A piece is a file. Articles without text are kept.

    WikiExtractor writes the title once more as the first line of each article; it is left out of the text.
    """

    model_config = ConfigDict(title="WikiExtractor")

    kind: Literal["wikiextractor"] = "wikiextractor"
    unit: ClassVar[str] = "article"

    def file_schema(self) -> pa.Schema:
        """See `FileSource.file_schema`."""
        return _SCHEMA

    def read_part(self, part: FilePart, features: Features) -> Iterator[pa.RecordBatch]:
        """See `FileSource.read_part`."""
        articles = _articles(part.file)
        while some := list(itertools.islice(articles, _BATCH_EXAMPLES)):
            yield pa.RecordBatch.from_pylist(some, _SCHEMA)


def _articles(file: SourceFile) -> Iterator[dict[str, str]]:
    article: dict[str, str] | None = None
    text: list[str] = []
    for number, line in enumerate(_lines(file), 1):
        words = line.rstrip("\r\n")
        opening = _OPENING.fullmatch(words)
        if article is None and opening:
            article, text = opening.groupdict(), []
        elif article is None and words:
            raise SourceError(
                f"{file}, line {number}: {words[:80]!r} stands outside an article, where only a line "
                "<doc id= url= title=> may stand. Extract the file again with WikiExtractor"
            )
        elif article is not None and opening:
            raise SourceError(_cut(f"{file}, line {number}", article))
        elif article is not None and words == "</doc>":
            yield {**article, "text": _without_title("".join(text).strip("\r\n"), article["title"])}
            article = None
        elif article is not None:
            text.append(line)
    if article is not None:
        raise SourceError(_cut(f"{file}, its end", article))


def _without_title(text: str, title: str) -> str:
    first, _, rest = text.partition("\n")
    return rest.strip("\r\n") if first.rstrip("\r") == title else text


def _cut(where: str, article: dict[str, str]) -> str:
    return f"{where}: the article {article['title']!r} has no </doc>, it is cut short. Extract the file again"


def _lines(file: SourceFile) -> Iterator[str]:
    with opened(file) as stream:
        try:
            yield from io.TextIOWrapper(stream, encoding="utf-8-sig", newline="\n")
        except UnicodeDecodeError as error:
            raise SourceError(not_utf8(str(file))) from error
