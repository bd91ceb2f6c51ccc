"""A source whose pieces fail once in the middle, as work that a runner does again. A module that workers can import."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from groupstream.features import Features
from sources import AnySource, Piece, Source, SourceBatch

READINGS: Counter[int] = Counter()  # in this process, by piece


class RetriedSource(Source):
    kind: str = "retried"
    inner: AnySource

    def available_features(self) -> Features:
        return self.inner.available_features()

    def pieces(self) -> list[Piece]:
        return self.inner.pieces()

    def identity(self) -> dict[str, Any]:
        return self.inner.identity()

    def read(self, piece: Piece, features: Features, needed: frozenset[str]) -> Iterator[SourceBatch]:
        READINGS[piece.index] += 1
        for batch in self.inner.read(piece, features, needed):
            yield batch
            if READINGS[piece.index] == 1:
                raise RuntimeError("injected")
