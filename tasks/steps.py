"""The long steps of a run, and how far they are in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cards import format_bytes, format_count
from pipelines.progress import Progress

StepName = Literal["count", "read", "merge", "publish", "train"]
STEP_NAMES: tuple[StepName, ...] = ("count", "read", "merge", "publish", "train")
_VERBS = {"count": "Counted", "read": "Read", "merge": "Merged", "publish": "Published", "train": "Trained"}
_UNITS = {"count": "pieces", "read": "pieces", "merge": "shards", "publish": "files", "train": "rounds"}
_SECONDS_BEFORE_A_GUESS = 4.0


@dataclass(frozen=True)
class Step:
    """How far a step is.

    Attributes:
        done: units of its work, of `total`: pieces of the source, shards, files, or rounds.
        examples: that were read so far, which a merge no longer adds to; None where it looks at none.
        num_bytes: that it read or wrote.
        total_bytes: that it will have written; None where nobody knows yet.
        words: what there is to say of it where it is not examples and bytes.
    """

    name: StepName
    done: int
    total: int
    num_bytes: int = 0
    examples: int | None = None
    total_bytes: int | None = None
    words: str | None = None

    @property
    def share(self) -> float:
        """Of the work that is done, from 0 to 1: of the bytes, where their sum is known."""
        if self.total_bytes:
            return min(1.0, self.num_bytes / self.total_bytes)
        return min(1.0, self.done / self.total) if self.total else 0.0

    @property
    def amounts(self) -> str:
        """What it went through, in words."""
        if self.words is not None:
            return self.words
        examples = [] if self.examples is None else [f"{format_count(self.examples)} examples"]
        total = "" if self.total_bytes is None else f" of {format_bytes(self.total_bytes)}"
        return ", ".join([*examples, f"{format_bytes(self.num_bytes)}{total}"])

    @property
    def in_words(self) -> str:
        """How far it is, in a few words."""
        share = f"{format_count(self.done)} of {format_count(self.total)}"
        return f"{_VERBS[self.name]} {share} {_UNITS[self.name]}: {self.amounts}"


def step_of(progress: Progress, num_pieces: int, counts_first: bool) -> Step:
    """What the pipeline of a build is at: it may count first, then it reads, then it merges.

    Args:
        num_pieces: of the source.
        counts_first: whether it counts, unless an earlier build has.
    """
    p = progress
    if p.num_shards:
        return Step("merge", min(p.shards, p.num_shards), p.num_shards, p.shard_bytes, p.examples)
    if p.examples or p.pieces or not counts_first:
        return Step("read", min(p.pieces, num_pieces), num_pieces, p.read_bytes, p.examples)
    return Step("count", min(p.counted_pieces, num_pieces), num_pieces, p.counted_bytes, p.counted_examples)


def speed_in_words(first: Step, now: Step, seconds: float) -> str:
    """How fast a step went since it was first looked at, and, once that can be guessed, how long it will still take."""
    said = []
    if seconds > 0:
        if now.examples and first.examples is not None and now.examples > first.examples:
            said.append(f"{format_count(round((now.examples - first.examples) / seconds))} examples/s")
        if now.words is None:
            said.append(f"{format_bytes(round((now.num_bytes - first.num_bytes) / seconds))}/s")
    done, left = now.share - first.share, 1 - now.share
    if left > 0 and done > 0 and seconds > _SECONDS_BEFORE_A_GUESS:
        said.append(f"about {duration_in_words(seconds * left / done)} left")
    return ", ".join(said)


def duration_in_words(seconds: float) -> str:
    """A duration, as exact as it matters.

    >>> duration_in_words(1.24), duration_in_words(12.4), duration_in_words(200), duration_in_words(9000)
    ('1.2 s', '12 s', '3 min 20 s', '2 h 30 min')
    """
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
