"""How many examples of each stratum (a label, or one for all) every batch holds: what exact sizes are computed from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from groupstream import SourceError, SpecError
from partitioners.partitioner import ExampleIds

MAX_STRATA = 1_000_000


@dataclass(frozen=True, eq=False)
class StratumCounts:
    """Counts of batches. Memory: 24 bytes a batch and 8 bytes for each stratum that a batch holds, never an example.

    Attributes:
        strata: their names, sorted.
        pieces: int64[num_batches], the piece_index of each batch; batches are sorted by it and by first_row, each once.
        first_rows: int64[num_batches].
        lengths: int64[num_batches], how many strata each batch holds.
        codes: int32[sum of lengths], positions in `strata`, batch after batch; ascending within a batch.
        counts: int32[sum of lengths], how many examples of that stratum the batch holds; at least 1.
    """

    strata: tuple[bytes, ...]
    pieces: np.ndarray
    first_rows: np.ndarray
    lengths: np.ndarray
    codes: np.ndarray
    counts: np.ndarray

    @cached_property
    def totals(self) -> np.ndarray:
        """int64[num_strata]: how many examples each stratum has."""
        return np.bincount(self.codes, self.counts, len(self.strata)).astype(np.int64)

    @cached_property
    def starts(self) -> np.ndarray:
        """int64[num_batches]: where the strata of each batch begin in `codes`."""
        return np.cumsum(self.lengths) - self.lengths


def same_stratum(num_examples: int) -> pa.Array:
    """binary[num_examples]: one stratum for all examples."""
    return pa.repeat(pa.scalar(b"all", pa.binary()), num_examples)


def local_codes(names: pa.Array) -> tuple[np.ndarray, list[bytes]]:
    """The stratum of each example of a batch.

    Args:
        names: binary[num_examples]; null or empty where an example is in no stratum.

    Returns:
        int64[num_examples], positions in the list, or -1 for no stratum; and the list of names, sorted.
    """
    named = pc.if_else(pc.equal(pc.binary_length(names), 0), None, names)
    coded = named.dictionary_encode()
    found = coded.dictionary.to_pylist()
    order = sorted(range(len(found)), key=found.__getitem__)
    places = np.empty(len(found) + 1, np.int64)
    places[order], places[-1] = np.arange(len(found)), -1
    codes = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False)
    return places[codes], [found[i] for i in order]


def count_strata(names: pa.Array, ids: ExampleIds) -> StratumCounts:
    """The counts of one batch.

    Args:
        names: see `local_codes`.
        ids: the names of the examples.
    """
    codes, strata = local_codes(names)
    counts = np.bincount(codes[codes >= 0], minlength=len(strata)).astype(np.int32)
    piece, first_row, length = (np.array([n], np.int64) for n in (ids.piece_index, ids.first_row, len(strata)))
    return StratumCounts(tuple(strata), piece, first_row, length, np.arange(len(strata), dtype=np.int32), counts)


def merge_strata(counts: Iterable[StratumCounts], max_strata: int = MAX_STRATA) -> StratumCounts:
    """Several counts as one; a batch that was counted twice, as by a worker that was tried again, counts once.

    Raises:
        SpecError: there are more strata than can be kept.
        SourceError: a batch that was counted twice held something else the second time.
    """
    parts = [part for part in counts if len(part.pieces)]
    if not parts:
        return _NOTHING
    strata = _union(parts, max_strata)
    places = {name: code for code, name in enumerate(strata)}
    columns = ((p.pieces, p.first_rows, p.lengths, _recoded(p, places), p.counts) for p in parts)
    merged = StratumCounts(strata, *map(np.concatenate, zip(*columns, strict=True)))
    return _without_repeats(_picked(merged, np.lexsort((merged.first_rows, merged.pieces))))


def _union(parts: list[StratumCounts], max_strata: int) -> tuple[bytes, ...]:
    strata = set().union(*{part.strata for part in parts})
    if len(strata) > max_strata:
        raise SpecError(
            f"partitioner: the label has over {max_strata:,} values, such as {min(strata)!r}; "
            "name a feature that has fewer"
        )
    return tuple(sorted(strata))


def _recoded(part: StratumCounts, places: dict[bytes, int]) -> np.ndarray:
    return np.fromiter(map(places.__getitem__, part.strata), np.int32, len(part.strata))[part.codes]


def _picked(counts: StratumCounts, order: np.ndarray) -> StratumCounts:
    """These batches in this order."""
    entries = _entries(counts.starts[order], counts.lengths[order])
    pieces, first_rows = counts.pieces[order], counts.first_rows[order]
    return StratumCounts(
        counts.strata, pieces, first_rows, counts.lengths[order], counts.codes[entries], counts.counts[entries]
    )


def _entries(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The ranges that begin at `starts`, one after the other."""
    shifts = starts - (np.cumsum(lengths) - lengths)
    return np.repeat(shifts, lengths) + np.arange(lengths.sum())


def _without_repeats(counts: StratumCounts) -> StratumCounts:
    """Each batch once, of counts in the order of their batches."""
    repeats = np.flatnonzero((np.diff(counts.pieces) == 0) & (np.diff(counts.first_rows) == 0)) + 1
    if not len(repeats):
        return counts
    first, second = _picked(counts, repeats - 1), _picked(counts, repeats)
    if not all(np.array_equal(getattr(first, x), getattr(second, x)) for x in ("lengths", "codes", "counts")):
        raise SourceError(
            "partitioner: a batch was counted twice and held other examples the second time; "
            "the source was changed while it was read. Build again"
        )
    return _picked(counts, np.setdiff1d(np.arange(len(counts.pieces)), repeats))


_NO_LONGS, _NO_INTS = np.empty(0, np.int64), np.empty(0, np.int32)
_NOTHING = StratumCounts((), _NO_LONGS, _NO_LONGS, _NO_LONGS, _NO_INTS, _NO_INTS)
