"""By likeness: clusters of embeddings."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from pydantic import ConfigDict, Field, model_validator

from groupstream import ExampleError, SpecError
from partitioners.dirichlet_bounds import dirichlet_bounds
from partitioners.draws import seed_word
from partitioners.numbered import numbered
from partitioners.partitioner import CountingPartitioner, ExampleIds
from partitioners.sample import Sample, merge_samples
from partitioners.seeded import Seeded
from partitioners.shares import choose_by_code
from partitioners.vectors import matrix_of
from partitioners.words import counted, quoted

_MANTISSA_BITS = 14  # of centres, so that what differs in the last bits of a sum of floats changes no group
_BLOCK = 1 << 20  # distances held at once


class ByClusters(Seeded, CountingPartitioner):
    """k-means on a feature that holds embeddings: the nearest centre is the group, or draws the group.

    Centres are found on a random sample, not on all examples. Without `alpha` each cluster is a group. With it, each
    cluster is dealt to num_groups groups by shares drawn from Dirichlet(alpha): what is done with labels, done with
    clusters. Memory while counting: a sample takes 32 MiB at most; a merge holds about five, and a pass over many
    batches one for each time that their number doubles.

    Source: k-means++ of Arthur and Vassilvitskii 2007, in scikit-learn; the semantic partition of Yuan et al. 2022,
    "What Do We Mean by Generalization in Federated Learning?", and Flower's SemanticPartitioner after it. Theirs
    compute embeddings by a network and reduce them by a principal component analysis; ours takes those that the
    examples carry, as they are. Yuan et al. cluster each label on its own and match the clusters; ours takes all
    examples together.
    """

    model_config = ConfigDict(title="Clusters")

    kind: Literal["clusters"] = "clusters"
    feature: str = Field(description="The feature that holds the embedding: a tensor, or a list of one length.")
    num_clusters: int = Field(ge=1, le=10_000, description="How many clusters.")
    alpha: float | None = Field(
        None, ge=1e-6, le=1e9, description="With num_groups: how evenly each cluster is dealt; 0.1 to few groups."
    )
    num_groups: int | None = Field(
        None, ge=1, le=1_000_000, description="With alpha: how many groups. Default: one a cluster."
    )
    sample_examples: int = Field(
        20_000,
        ge=1,
        le=200_000,
        description="How many examples the centres are found on, in 32 MiB at most: 10,922 of 768 numbers.",
    )

    @model_validator(mode="after")
    def _options_fit(self) -> ByClusters:
        if (self.alpha is None) != (self.num_groups is None):
            raise ValueError("alpha and num_groups go together: give both, or neither for one group a cluster")
        if self.num_clusters > self.sample_examples:
            raise ValueError(f"num_clusters {self.num_clusters:,} is over sample_examples {self.sample_examples:,}")
        return self

    @property
    def in_words(self) -> str:
        """See `Partitioner.in_words`."""
        clusters = f"{counted(self.num_clusters, 'cluster')} of embeddings in {quoted(self.feature)}, found by k-means"
        if self.alpha is None or self.num_groups is None:
            return f"One group for each of {clusters}."
        return (
            f"The examples of each of {clusters}, are shared out over {counted(self.num_groups, 'group')}, by shares "
            f"drawn from a Dirichlet distribution with alpha {self.alpha:g}."
        )

    @property
    def reads(self) -> frozenset[str]:
        """See `Partitioner.reads`."""
        return frozenset([self.feature]) | self.reads_key

    def count(self, batch: pa.RecordBatch, ids: ExampleIds) -> Sample:
        """See `CountingPartitioner.count`."""
        vectors, places = matrix_of(batch, self.feature, ids)
        draws = self.draw(batch, ids, "sample")[places]
        names = np.stack((np.full(len(places), ids.piece_index), ids.rows[places]), axis=1)
        named = ~np.isnan(draws)
        return Sample(draws[named], names[named], vectors[named]).smallest(self.sample_examples)

    def merge(self, counts: Iterable[Sample]) -> Sample:
        """See `CountingPartitioner.merge`."""
        return merge_samples(counts, self.sample_examples)

    def fit(self, counts: Sample) -> ClustersRule:
        """See `CountingPartitioner.fit`. Takes seconds to minutes: sample times clusters times dimensions."""
        distinct = len(np.unique(counts.vectors, axis=0))
        if distinct < self.num_clusters:
            raise SpecError(
                f"partitioner: {self.num_clusters:,} clusters cannot be made of a sample of {distinct:,} "
                "different embeddings; ask for fewer clusters"
            )
        centres = _centres(counts.vectors, self.num_clusters, seed_word(self.seed, "k-means") >> 32)
        return ClustersRule(self, centres)


@dataclass(frozen=True, eq=False)
class ClustersRule:
    """The nearest centre of each example, and what follows from it.

    Attributes:
        partitioner: of the spec.
        centres: float64[num_clusters, num_dimensions].
    """

    partitioner: ByClusters
    centres: np.ndarray

    def assign(self, batch: pa.RecordBatch, ids: ExampleIds) -> pa.Array:
        """See `Rule.assign`."""
        vectors, places = matrix_of(batch, self.partitioner.feature, ids)
        if len(vectors) and vectors.shape[1] != self.centres.shape[1]:
            raise ExampleError(
                f"partitioner: embeddings of piece {ids.piece_index} have {vectors.shape[1]:,} numbers, the centres "
                f"{self.centres.shape[1]:,}; every embedding needs the same number"
            )
        clusters = np.full(len(ids.rows), -1)
        clusters[places] = _nearest(vectors, self.centres)
        return self._groups(clusters, batch, ids)

    def _groups(self, clusters: np.ndarray, batch: pa.RecordBatch, ids: ExampleIds) -> pa.Array:
        alpha, num_groups, seed = self.partitioner.alpha, self.partitioner.num_groups, self.partitioner.seed
        if alpha is None or num_groups is None:
            return numbered(clusters, len(self.centres))
        bounds = dirichlet_bounds(alpha, num_groups, seed)
        draws = self.partitioner.draw(batch, ids)
        return numbered(choose_by_code(clusters, draws, lambda code: bounds(b"cluster %d" % code)), num_groups)


def _centres(vectors: np.ndarray, num_clusters: int, seed: int) -> np.ndarray:
    """float64[num_clusters, num_dimensions], rounded and sorted. On one thread, whose sums have one order."""
    from sklearn.cluster import KMeans  # takes seconds to import
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        found = KMeans(num_clusters, init="k-means++", n_init=3, max_iter=100, random_state=seed).fit(vectors)
    centres = found.cluster_centers_.astype(np.float64)
    step = 2.0 ** (math.frexp(float(np.abs(centres).max()))[1] - _MANTISSA_BITS)
    rounded = np.round(centres / step) * step
    return rounded[np.lexsort(rounded.T[::-1])]


def _nearest(vectors: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """int64[num_vectors]: the nearest centre, the first of several."""
    squares = (centres**2).sum(axis=1)
    step = max(1, _BLOCK // len(centres))
    blocks = [vectors[i : i + step].astype(np.float64) for i in range(0, len(vectors), step)]
    return np.concatenate([np.empty(0, np.int64), *((squares - 2 * (b @ centres.T)).argmin(axis=1) for b in blocks)])
