"""The place of every example in a seeded random order of each stratum, without a table of examples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from groupstream import SourceError
from partitioners.draws import seed_word
from partitioners.partitioner import ExampleIds
from partitioners.permutations import permute_each
from partitioners.strata import StratumCounts, local_codes


@dataclass(frozen=True, eq=False)
class Ranks:
    """All examples in order: stratum after stratum, and within a stratum in a seeded random order.

    An example's number among those of its stratum is how many the batches before hold, and how many come before it in
    its batch; a permutation without a table makes of it a random rank. So exactly as many examples as asked for have
    a rank below a number, and the rank does not depend on where batches end. Memory: 16 bytes for each stratum that
    a batch holds.

    Attributes:
        counts: of all batches.
        bases: int64[len(counts.codes)], how many examples of that stratum the batches before hold.
        seed: of the random order.
    """

    counts: StratumCounts
    bases: np.ndarray
    seed: int

    @classmethod
    def of(cls, counts: StratumCounts, seed: int) -> Ranks:
        """Follows from the counts of all batches."""
        order = np.argsort(counts.codes, kind="stable")
        totals = counts.totals
        before = np.cumsum(counts.counts[order], dtype=np.int64) - counts.counts[order]
        bases = np.empty(len(order), np.int64)
        bases[order] = before - (np.cumsum(totals) - totals)[counts.codes[order]]
        return cls(counts, bases, seed)

    def places(self, names: pa.Array, ids: ExampleIds) -> np.ndarray:
        """int64[num_examples]: the place of each example of a batch among all examples; -1 where it is in no stratum.

        Args:
            names: binary[num_examples], as they were counted; see `strata.local_codes`.
            ids: the names of the examples.

        Raises:
            SourceError: the batch is not as it was counted.
        """
        codes, strata = local_codes(names)
        sizes = np.bincount(codes[codes >= 0], minlength=len(strata))
        entries = self._entries(ids)
        self._refuse_changed(strata, sizes, entries, ids)
        order = np.lexsort((ids.rows, codes))[np.count_nonzero(codes < 0) :]
        numbers = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        known = self.counts.codes[entries]
        totals = self.counts.totals
        keys = np.array([seed_word(self.seed, f"order of {name.hex()}") for name in strata], np.uint64)
        local = codes[order]
        ranks = permute_each(self.bases[entries][local] + numbers, local, totals[known], keys)
        places = np.full(len(codes), -1)
        places[order] = (np.cumsum(totals) - totals)[known][local] + ranks
        return places

    def _refuse_changed(self, strata: list[bytes], sizes: np.ndarray, entries: slice, ids: ExampleIds) -> None:
        counted = [self.counts.strata[code] for code in self.counts.codes[entries]]
        if counted != strata or not np.array_equal(self.counts.counts[entries], sizes):
            raise SourceError(
                f"partitioner: piece {ids.piece_index} holds other examples after row {ids.first_row:,} than when "
                "they were counted; the source was changed while it was read. Build again"
            )

    def _entries(self, ids: ExampleIds) -> slice:
        pieces, first_rows = self.counts.pieces, self.counts.first_rows
        low, high = np.searchsorted(pieces, [ids.piece_index, ids.piece_index + 1])
        place = low + int(np.searchsorted(first_rows[low:high], ids.first_row))
        if place == high or first_rows[place] != ids.first_row:
            return slice(0, 0)
        start = int(self.counts.starts[place])
        return slice(start, start + int(self.counts.lengths[place]))
