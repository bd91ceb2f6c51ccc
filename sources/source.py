"""What a source is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from groupstream.features import Features


@dataclass(frozen=True)
class Piece:
    """A part of a source that is read independently of the others.

    How a source falls into pieces depends on the source alone, never on the number of workers: the position of an
    example is (index of its piece, row in its piece), and its place in its group follows it.

    Attributes:
        index: its position in the source.
        label: its name for people, such as a path.
        part: what the source needs to read it; it is pickled.
    """

    index: int
    label: str
    part: Any = None


class SourceBatch(NamedTuple):
    """Some examples of a piece, in order.

    Attributes:
        columns: the features that were asked for; all features where there are no records.
        records: the serialised tf.train.Examples, where the source has them: they are stored as they are.
    """

    columns: pa.RecordBatch
    records: pa.LargeBinaryArray | None = None

    @property
    def num_examples(self) -> int:
        """How many examples it holds."""
        return len(self.columns) if self.records is None else len(self.records)


class Source(BaseModel, ABC):
    """A base dataset.

    Attributes:
        places: the keys that say where it lies. What it is does not depend on them: that is its identity.
    """

    places: ClassVar[frozenset[str]] = frozenset()

    model_config = ConfigDict(frozen=True)

    @abstractmethod
    def available_features(self) -> Features:
        """The features it has. Reads as little as it can.

        Raises:
            SourceError: it cannot be read.
            SpecError: a feature is of a type that cannot be stored.
        """

    @abstractmethod
    def pieces(self) -> list[Piece]:
        """Its pieces, in order."""

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """What its content is: equal for equal content, wherever that lies."""

    def known_num_examples(self) -> int | None:
        """How many examples it has, where something says so that is cheap to read; None where they must be counted."""
        return None

    @abstractmethod
    def read(self, piece: Piece, features: Features, needed: frozenset[str]) -> Iterator[SourceBatch]:
        """The examples of a piece.

        Args:
            piece: one of `pieces()`.
            features: the features to give.
            needed: those that are looked at on the way; a source with raw records decodes only these.

        Raises:
            SourceError: the piece cannot be read.
            ExampleError: a value does not fit its feature.
        """
