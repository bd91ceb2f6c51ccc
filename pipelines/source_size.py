"""How large a source is, found out without reading it: from the sizes of its files and a sample of its examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, NamedTuple

from groupstream.stores import is_url
from pipelines.plan import Plan
from pipelines.sample import PieceReading, Sampler
from sources import Piece
from sources.files import SourceFile


class Amount(NamedTuple):
    """A figure, and how it was got. Without a value it could not be found out."""

    value: float | None
    how: str


@dataclass(frozen=True)
class PieceSizes:
    """The bytes of the files that pieces are of.

    Attributes:
        total: of all files, each once; 0 where the source is no files.
        num_files: how many files.
        of_piece: by the index of the piece, its share of the bytes of its files.
        has_local: whether some of them lie on this machine.
    """

    total: int
    num_files: int
    of_piece: dict[int, float]
    has_local: bool


def sizes_of(pieces: Sequence[Piece]) -> PieceSizes:
    """The bytes of each piece: the pieces of one file have equal shares of it."""
    files = {piece.index: dict(_files(piece.part)) for piece in pieces}
    sizes = {name: size for found in files.values() for name, size in found.items()}
    times = Counter(name for found in files.values() for name in found)
    of_piece = {
        index: sum(size / times[name] for name, size in found.items()) for index, found in files.items() if found
    }
    return PieceSizes(sum(sizes.values()), len(sizes), of_piece, not all(map(is_url, sizes)))


def estimate_examples(plan: Plan, sampler: Sampler, sizes: PieceSizes, stored_bytes: float) -> Amount:
    """How many examples the source has.

    Args:
        plan: of the build.
        sampler: which has given its sample.
        sizes: of the pieces.
        stored_bytes: what an example takes when it is stored: a last resort.
    """
    if sampler.complete:
        return Amount(sampler.num_examples, "all of them were read")
    if (known := plan.spec.source.known_num_examples()) is not None:
        return Amount(known, "the source says so")
    whole = [reading for reading in sampler.readings if reading.whole]
    if not sizes.total:
        if not whole:
            return Amount(None, "the source does not say, and no piece of it was read to its end")
        mean = sum(reading.num_examples for reading in whole) / len(whole)
        return Amount(round(mean * len(plan.pieces)), f"{mean:,.0f} a piece, from {len(whole)} read to their ends")
    measured = [found for reading in sampler.readings if (found := _measured(reading, sizes))]
    if examples := sum(found[0] for found in measured):
        each = sum(found[1] for found in measured) / examples
        parts = [f"{len(whole):,} pieces read to their ends"] if whole else []
        parts += [f"the beginning of {rest:,}"] if (rest := len(measured) - len(whole)) > 0 else []
        how = f"{each:,.0f} bytes an example in the files, from {' and '.join(parts)}"
        return Amount(round(sizes.total / each), how)
    if not stored_bytes:
        return Amount(None, "the sample has no examples")
    how = f"as if an example took {stored_bytes:,.0f} bytes in the files, as it does when stored"
    return Amount(round(sizes.total / stored_bytes), f"{how}; compressed files hold more")


def _measured(reading: PieceReading, sizes: PieceSizes) -> tuple[int, float] | None:
    """Examples, and the bytes that they take in the files."""
    size = sizes.of_piece.get(reading.piece.index)
    if not reading.batches_read or not size:
        return None
    if reading.whole:
        return reading.num_examples, size
    batches = reading.batches_read[1:] or reading.batches_read  # the first has read ahead for those that follow
    examples, num_bytes = (sum(column) for column in zip(*batches, strict=True))
    return (examples, min(num_bytes, size)) if num_bytes else None


def _files(part: Any) -> Iterator[tuple[str, int]]:
    """Names and sizes of the files in what a source keeps of a piece."""
    if isinstance(part, SourceFile):
        yield part.address, part.size_bytes
    elif isinstance(part, Path):
        yield str(part), part.stat().st_size
    elif isinstance(part, list | tuple):
        for inner in part:
            yield from _files(inner)
    elif is_dataclass(part):
        for field in fields(part):
            yield from _files(getattr(part, field.name))
