"""A source and a staging area that fail at first, so that work is done again. A module that workers can import."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groupstream.features import Features
from pipelines.staging import StagingArea
from sources import AnySource, Piece, Source, SourceBatch

PASSED: Counter[str] = Counter()  # in this process: pieces by their index, writings by the folder


def fail_at_first(place: str, times: int) -> None:
    """Raises the first times that a place is passed."""
    PASSED[place] += 1
    if PASSED[place] <= times:
        raise RuntimeError("injected")


class RetriedSource(Source):
    """Each piece fails once, after its first batch."""

    kind: str = "retried"
    inner: AnySource

    def available_features(self) -> Features:
        return self.inner.available_features()

    def pieces(self) -> list[Piece]:
        return self.inner.pieces()

    def identity(self) -> dict[str, Any]:
        return self.inner.identity()

    def read(self, piece: Piece, features: Features, needed: frozenset[str]) -> Iterator[SourceBatch]:
        for batch in self.inner.read(piece, features, needed):
            yield batch
            fail_at_first(f"piece {piece.index}", times=1)


@dataclass(frozen=True)
class RetriedStaging(StagingArea):
    """In each folder, the first two writings fail: one before anything is written, one when all is."""

    @contextmanager
    def writing(self, path: str) -> Iterator[Path]:
        place = path.split("/")[0]
        if not PASSED[place]:
            fail_at_first(place, times=1)
        with super().writing(path) as file:
            yield file
        fail_at_first(place, times=2)
