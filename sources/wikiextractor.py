"""The output of WikiExtractor: articles between <doc ...> and </doc>."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pyarrow as pa
from pydantic import ConfigDict

from groupstream import ExampleError, SourceError
from groupstream.features import Features
from sources.files import FileSource, opened, unreadable
from sources.selection import conform, selected_features
from sources.source import Piece, SourceBatch

_OPENING = re.compile(r'<doc id="(?P<id>[^"]*)" (?:revid="[^"]*" )?url="(?P<url>[^"]*)" title="(?P<title>.*)">\n?')
_SCHEMA = pa.schema([(name, pa.string()) for name in ("id", "url", "title", "text")])
_BATCH_EXAMPLES = 512


class WikiExtractor(FileSource):
    """One example an article: id, url, title, text. A piece is a file. Articles without text are kept."""

    model_config = ConfigDict(title="WikiExtractor")

    kind: Literal["wikiextractor"] = "wikiextractor"

    def available_features(self) -> Features:
        """See `Source.available_features`."""
        return selected_features(self.features, _SCHEMA)

    def read(self, piece: Piece, features: Features, needed: frozenset[str]) -> Iterator[SourceBatch]:
        """See `Source.read`."""
        articles = _articles(piece.part)
        while some := list(itertools.islice(articles, _BATCH_EXAMPLES)):
            batch = pa.RecordBatch.from_pylist(some, _SCHEMA)
            yield SourceBatch(conform(batch, features, piece.label))


def _articles(file: Path) -> Iterator[dict[str, str]]:
    with opened(file) as stream:
        article: dict[str, str] | None = None
        lines: list[str] = []
        for number, line in enumerate(_lines(file, stream), 1):
            if line.startswith("<doc ") and article is None:
                article, lines = _parse_opening(line, f"{file}, line {number}"), []
            elif line.rstrip("\n") == "</doc>" and article is not None:
                yield {**article, "text": "".join(lines).strip("\n")}
                article = None
            elif article is not None:
                lines.append(line)
    if article is not None:
        raise SourceError(
            f"{file}: the article {article['title']!r} has no </doc>; the file is cut short. Extract it again"
        )


def _lines(file: Path, stream: pa.NativeFile) -> Iterator[str]:
    try:
        yield from io.TextIOWrapper(stream, encoding="utf-8", newline="\n")
    except UnicodeDecodeError as error:
        raise SourceError(unreadable(file, error)) from error


def _parse_opening(line: str, where: str) -> dict[str, str]:
    match = _OPENING.fullmatch(line)
    if not match:
        raise ExampleError(f"{where}: {line.strip()[:80]!r} is no <doc id= url= title=> line of WikiExtractor")
    return match.groupdict()
