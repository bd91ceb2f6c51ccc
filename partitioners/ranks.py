"""The rank of every example within its stratum, without a table of examples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from groupstream import SourceError
from groupstream.permutation import permute
from partitioners.partitioner import ExampleIds
from partitioners.strata import StratumCounts, local_codes


class Stratum(NamedTuple):
    """The examples of one stratum in a batch.

    Attributes:
        code: its position among all strata.
        examples: int64[num_examples], their positions in the batch.
        ranks: int64[num_examples], each in [0, total): a seeded random order of the stratum, each rank once.
    """

    code: int
    examples: np.ndarray
    ranks: np.ndarray


@dataclass(frozen=True, eq=False)
class Ranks:
    """The ranks of examples in a seeded random order of their stratum.

    An example's place among those of its stratum is how many the batches before hold, and how many come before it in
    its batch; a permutation without a table makes of it a random rank. So exactly as many examples as asked for have
    a rank below a number, and the rank does not depend on where batches end. Memory: 16 bytes for each stratum that
    a batch holds.

    Attributes:
        counts: of all batches.
        bases: int64[len(counts.codes)], how many examples of that stratum the batches before hold.
        totals: int64[num_strata].
        seed: of the random order.
    """

    counts: StratumCounts
    bases: np.ndarray
    totals: np.ndarray
    seed: int

    @classmethod
    def of(cls, counts: StratumCounts, seed: int) -> Ranks:
        """Follows from the counts of all batches."""
        order = np.argsort(counts.codes, kind="stable")
        totals = counts.totals
        bases = np.empty(len(order), np.int64)
        before = np.cumsum(counts.counts[order], dtype=np.int64) - counts.counts[order]
        bases[order] = before - np.repeat(np.cumsum(totals) - totals, np.bincount(counts.codes, minlength=len(totals)))
        return cls(counts, bases, totals, seed)

    def by_stratum(self, names: pa.Array, ids: ExampleIds) -> Iterator[Stratum]:
        """Those of a batch, stratum after stratum; examples that are in no stratum are in none of them.

        Args:
            names: binary[num_examples], as they were counted; see `strata.local_codes`.
            ids: the names of the examples.

        Raises:
            SourceError: the batch is not as it was counted.
        """
        codes, strata = local_codes(names)
        counts = np.bincount(codes[codes >= 0], minlength=len(strata))
        entries = self._entries(ids)
        known = [self.counts.strata[code] for code in self.counts.codes[entries]]
        if known != strata or not np.array_equal(self.counts.counts[entries], counts):
            raise SourceError(
                f"partitioner: piece {ids.piece_index} holds other examples after row {ids.first_row:,} than when "
                "they were counted; the source was changed while it was read. Build again"
            )
        order = np.lexsort((ids.rows, codes))[np.count_nonzero(codes < 0) :]
        examples = np.split(order, np.cumsum(counts)[:-1]) if len(strata) else []
        for some, entry in zip(examples, range(entries.start, entries.stop), strict=True):
            code, places = int(self.counts.codes[entry]), self.bases[entry] + np.arange(len(some))
            name = f"order of {strata[entry - entries.start].hex()}"
            yield Stratum(code, some, permute(places, int(self.totals[code]), self.seed, name))

    def _entries(self, ids: ExampleIds) -> slice:
        pieces, first_rows = self.counts.pieces, self.counts.first_rows
        low, high = np.searchsorted(pieces, [ids.piece_index, ids.piece_index + 1])
        place = low + int(np.searchsorted(first_rows[low:high], ids.first_row))
        if place == high or first_rows[place] != ids.first_row:
            return slice(0, 0)
        start = int(self.counts.starts[place])
        return slice(start, start + int(self.counts.lengths[place]))
