"""A sample of a source: some examples of pieces that are spread evenly over it. Reads no more than it must."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pipelines.batches import Batch, read_batches
from pipelines.plan import Plan
from pipelines.tally import Tally
from sources import Piece

SPREAD_PIECES = 16


class PieceReading:
    """A piece, read as far as somebody wants.

    Attributes:
        piece: of the source.
        num_examples: taken so far.
        whole: whether its end was seen.
        seconds: that reading took.
        batches_read: for each batch that the source gave, its examples, and the bytes that this process read from files
            for it; 0 where the system does not say.
    """

    def __init__(self, piece: Piece, batches: Iterator[Batch]) -> None:
        self.piece = piece
        self.num_examples = 0
        self.whole = False
        self.seconds = 0.0
        self.batches_read: list[tuple[int, int]] = []
        self._batches = batches
        self._rest: Batch | None = None

    @property
    def seconds_of_taken(self) -> float:
        """The share of `seconds` that the examples have that were taken, of those that were read."""
        num_read = sum(examples for examples, _ in self.batches_read)
        return self.seconds * self.num_examples / num_read if num_read else self.seconds

    def take(self, num_examples: int) -> Iterator[Batch]:
        """The next examples; fewer where the piece ends."""
        while num_examples > 0 and (batch := self._next()) is not None:
            head, self._rest = _cut(batch, num_examples)
            self.num_examples += head.tally.examples_in
            num_examples -= head.tally.examples_in
            yield head

    def _next(self) -> Batch | None:
        if self._rest is not None:
            return self._rest
        started, bytes_before = time.perf_counter(), _bytes_read()
        batch = next(self._batches, None)
        self.seconds += time.perf_counter() - started
        self.whole = batch is None
        if batch is not None:
            self.batches_read.append((batch.tally.examples_in, _bytes_read() - bytes_before))
        return batch


class Sampler:
    """Gives the batches of a sample; once it has, says what was read.

    Pieces are taken in an order of which every beginning is spread evenly over the source: the first, the middle, the
    quarters, the eighths ... Of each come its first examples, as many of each; where that does not fill the
    sample, it goes round again. Nothing is drawn: the same source gives the same sample.

    Args:
        plan: of the build.
        max_examples: how large the sample is; all of the source, if it has fewer.
        spread: over how many pieces it is spread, where the source has as many.
    """

    def __init__(self, plan: Plan, max_examples: int, spread: int = SPREAD_PIECES) -> None:
        self._plan = plan
        self._max_examples = max_examples
        self._spread = spread
        self.readings: list[PieceReading] = []

    @property
    def num_examples(self) -> int:
        """How many examples were read."""
        return sum(reading.num_examples for reading in self.readings)

    @property
    def seconds(self) -> float:
        """How long reading them took: of a batch that was taken in part, as much of its time."""
        return sum(reading.seconds_of_taken for reading in self.readings)

    @property
    def complete(self) -> bool:
        """Whether the end of every piece was seen: the sample is the source."""
        return sum(reading.whole for reading in self.readings) == len(self._plan.pieces)

    def __iter__(self) -> Iterator[Batch]:
        pieces = self._plan.pieces
        turn = -(-self._max_examples // max(1, min(len(pieces), self._spread)))
        waiting: deque[int | PieceReading] = deque(spread_order(len(pieces)))
        while waiting and (left := self._max_examples - self.num_examples) > 0:
            reading = self._opened(waiting.popleft())
            yield from reading.take(min(turn, left))
            if not reading.whole:
                waiting.append(reading)

    def _opened(self, piece: int | PieceReading) -> PieceReading:
        if isinstance(piece, PieceReading):
            return piece
        plan, chosen = self._plan, self._plan.pieces[piece]
        reading = PieceReading(chosen, read_batches(plan.spec.source, plan.features, plan.needed, chosen))
        self.readings.append(reading)
        return reading


def _bytes_read() -> int:
    """What this process has read through calls of the system, mapped memory apart; 0 where the system is not Linux."""
    try:
        counters = Path("/proc/self/io").read_bytes()
    except OSError:
        return 0
    return int(counters.split(b"\n", 1)[0].removeprefix(b"rchar:"))


def spread_order(num_pieces: int) -> Iterator[int]:
    """All positions, in an order of which every beginning is spread evenly: by their bits, the last bit first.

    Source: J. G. van der Corput, "Verteilungsfunktionen", 1935.

    >>> list(spread_order(6))
    [0, 4, 2, 1, 5, 3]
    """
    bits = max(0, num_pieces - 1).bit_length()
    for position in range(1 << bits if num_pieces else 0):
        index = int(f"{position:0{bits}b}"[::-1], 2) if bits else 0
        if index < num_pieces:
            yield index


def _cut(batch: Batch, num_examples: int) -> tuple[Batch, Batch | None]:
    """The first examples of a batch, and the rest if there is one."""
    size = batch.tally.examples_in
    if size <= num_examples:
        return batch, None
    return _part(batch, 0, num_examples), _part(batch, num_examples, size - num_examples)


def _part(batch: Batch, start: int, size: int) -> Batch:
    columns = batch.columns.slice(start, size)
    nulls = Counter({name: columns.column(name).null_count for name in columns.schema.names})
    return replace(
        batch,
        first_row=batch.first_row + start,
        rows=batch.rows[start : start + size],
        columns=columns,
        records=None if batch.records is None else batch.records.slice(start, size),
        tally=Tally(examples_in=size, nulls=+nulls),
    )
