"""What was found, as the JSON keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

FEW_GROUPS = 20
EXAMPLES_A_GROUP = 5  # where there are many
PAGE_BYTES = 2_400  # of an example from JSON lines

Stages = tuple[str, ...]
STAGES: Stages = ("locate", "start", "read and spill", "merge", "end", "check", "card", "publish")
WORK: Stages = ("read and spill", "merge")  # what grows with the bytes


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class Shape(_Value):
    """What a source is like.

    Attributes:
        megabytes: of its values, uncompressed.
        groups: 20, or one for every five examples; Zipf-sized.
        kind: Parquet of a key and a text, or web pages as lines of JSON in gzip, by domain.
    """

    megabytes: float
    example_bytes: int = 1_000
    groups: Literal["few", "many"] = "many"
    kind: Literal["parquet", "jsonl"] = "parquet"

    @property
    def num_examples(self) -> int:
        """About; of pages it is a multiple of the number of files."""
        return max(FEW_GROUPS * EXAMPLES_A_GROUP, round(self.megabytes * 1e6 / self.example_bytes))

    @property
    def example_words(self) -> str:
        """The size of an example, for people."""
        size = self.example_bytes
        words = f"{size} B" if size < 1_000 else f"{size / 1_000:g} KB"
        return f"{words} of JSON" if self.kind == "jsonl" else words

    @property
    def words(self) -> str:
        """The whole, for people."""
        return f"{self.megabytes:,.3g} MB of {self.example_words}, {self.groups} groups"


class Point(_Value):
    """The builds of one source with so many processes.

    Attributes:
        stages: seconds of each, of every turn.
        limits: seconds of each limit on the same bytes, of every turn; empty where none was measured.
    """

    shape: Shape
    num_workers: int
    num_examples: int
    num_groups: int
    stored_bytes: int
    stages: dict[str, tuple[float, ...]]
    limits: dict[str, tuple[float, ...]] = {}

    def seconds(self, stages: Stages = STAGES) -> tuple[float, ...]:
        """Of these stages together, of every turn."""
        return tuple(map(sum, zip(*(self.stages[stage] for stage in stages), strict=True)))

    @property
    def megabytes_a_second(self) -> tuple[float, ...]:
        """Of stored bytes, of the whole build."""
        return tuple(self.stored_bytes / 1e6 / seconds for seconds in self.seconds())

    @property
    def examples_a_second(self) -> tuple[float, ...]:
        """Of the whole build."""
        return tuple(self.num_examples / seconds for seconds in self.seconds())

    def share(self, stage: str) -> float:
        """Of a stage in the whole."""
        return median(a / b for a, b in zip(self.stages[stage], self.seconds(), strict=True))


class Spot(_Value):
    """Where time was spent.

    Attributes:
        kind: of work.
        place: a function of ours, or the library.
        seconds: in it and in what it calls of other libraries.
    """

    kind: str
    place: str
    seconds: float


class Profile(_Value):
    """One build in this process, under cProfile."""

    shape: Shape
    spots: tuple[Spot, ...]

    @property
    def seconds(self) -> float:
        """Of all."""
        return sum(spot.seconds for spot in self.spots)

    def kinds(self) -> dict[str, float]:
        """Seconds of each kind of work, the most first."""
        total: dict[str, float] = {}
        for spot in self.spots:
            total[spot.kind] = total.get(spot.kind, 0.0) + spot.seconds
        return dict(sorted(total.items(), key=lambda item: -item[1]))


class Found(_Value):
    """All of it: the details of the result."""

    points: tuple[Point, ...]
    profiles: tuple[Profile, ...] = ()

    @classmethod
    def of(cls, details: Mapping[str, Any]) -> Found:
        """Out of the JSON."""
        return cls.model_validate(details)
