"""A source whose worker is killed, as the kernel does where memory runs out. A module that the workers can import."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

from groupstream.features import Features
from sources import Piece, Source, SourceBatch


class KillingSource(Source):
    kind: str = "killing"
    survivor: int  # the process that is left alone

    def available_features(self) -> Features:
        raise AssertionError

    def pieces(self) -> list[Piece]:
        raise AssertionError

    def identity(self) -> dict:
        raise AssertionError

    def read(self, piece: Piece, features: Features, needed: frozenset[str]) -> Iterator[SourceBatch]:
        if os.getpid() != self.survivor:
            os.kill(os.getpid(), signal.SIGKILL)
        yield from ()
