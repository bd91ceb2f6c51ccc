"""Groups that have a few labels each."""

from __future__ import annotations

import functools
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
from pydantic import ConfigDict, Field, model_validator

from partitioners.draws import generator
from partitioners.keys import key_bytes
from partitioners.label_values import LabelValue, label_places, refuse_repeated
from partitioners.numbered import numbered
from partitioners.partitioner import ExampleIds, RulePartitioner
from partitioners.seeded import Seeded
from partitioners.words import counted, quoted

Classes = Literal["deterministic", "random", "first_deterministic"]
_DRAWS_AT_ONCE = 1 << 20
MAX_PAIRS = 100_000_000  # of group and label

_ASSIGNMENTS = {
    "random": "chosen at random",
    "deterministic": "taken in turn",
    "first_deterministic": "the first taken in turn and the others at random",
}


class ByPathological(Seeded, RulePartitioner):
    """Each group has `labels_per_group` labels; the examples of a label go to its groups with equal chances.

    An example whose label no group has, or that is not among the labels, has no group. With 10 labels and 20 groups of
    2 labels, each label is in 4 groups, and a group gets about a quarter of the examples of both of its labels.

    Source: the pathological partition of McMahan et al. 2017, "Communication-Efficient Learning of Deep Networks from
    Decentralized Data", section 3 (at most 2 digits for each client), and the class assignments of Flower Datasets'
    PathologicalPartitioner. Theirs cut lists of examples; ours draws for each example, so the parts of a label are
    equal in expectation. McMahan's own recipe is `shards`.
    """

    model_config = ConfigDict(title="Few labels")

    kind: Literal["pathological"] = "pathological"
    feature: str = Field("label", description="The feature that holds the label.")
    num_groups: int = Field(ge=1, le=10_000_000, description="How many groups.")
    labels_per_group: int = Field(2, ge=1, le=1_000, description="How many different labels each group has.")
    num_labels: int | None = Field(
        None, ge=1, le=100_000, description="So many labels: 0, 1, 2, ... Give this, or the labels themselves."
    )
    labels: list[LabelValue] | None = Field(None, min_length=1, description="The labels, such as [cat, dog, horse].")
    assignment: Classes = Field(
        "random",
        description="Which labels a group has: random; deterministic, where group i has labels i, i+1, ... and after "
        "the last label comes the first; or first_deterministic, where group i has label i and others at random, so "
        "that no label is left out.",
    )

    @model_validator(mode="after")
    def _has_enough_labels(self) -> ByPathological:
        if (self.num_labels is None) == (self.labels is None):
            raise ValueError("give one of num_labels and labels")
        refuse_repeated(self.values())
        if self.labels_per_group > (count := len(self.values())):
            raise ValueError(f"labels_per_group is {self.labels_per_group}, and there are {count} labels")
        return self

    @model_validator(mode="after")
    def _is_small_enough(self) -> ByPathological:
        if (pairs := self.num_groups * len(self.values())) > MAX_PAIRS:
            raise ValueError(
                f"{self.num_groups:,} groups and {len(self.values()):,} labels are {pairs:,} pairs; "
                f"{MAX_PAIRS:,} at most"
            )
        return self

    @property
    def in_words(self) -> str:
        """See `Partitioner.in_words`."""
        labels = f"{self.labels_per_group:,} of {counted(len(self.values()), 'value')} of {quoted(self.feature)}"
        return f"{counted(self.num_groups, 'group')} with {labels} each, {_ASSIGNMENTS[self.assignment]}."

    @property
    def reads(self) -> frozenset[str]:
        """See `Partitioner.reads`."""
        return self.reads_key | {self.feature}

    def values(self) -> list[str]:
        """The labels."""
        return self.labels if self.labels is not None else [str(i) for i in range(self.num_labels or 0)]

    def owners(self) -> Owners:
        """The groups of each label."""
        return _owners(len(self.values()), self.num_groups, self.labels_per_group, self.assignment, self.seed)

    def assign(self, batch: pa.RecordBatch, ids: ExampleIds) -> pa.Array:
        """See `Rule.assign`."""
        labels = label_places(key_bytes(batch.column(self.feature), self.feature), self.values())
        owners = self.owners()
        counts = owners.counts[labels]  # of an unknown label: that of the last, which is dropped below
        draws = self.draw(batch, ids)
        has_group = (labels >= 0) & (counts > 0) & ~np.isnan(draws)
        groups = np.full(len(labels), -1)
        chosen = (draws[has_group] * counts[has_group]).astype(np.int64)
        groups[has_group] = owners.groups[owners.starts[labels[has_group]] + chosen]
        return numbered(groups, self.num_groups)


class Owners(NamedTuple):
    """Which groups have which labels.

    Attributes:
        groups: int32[num_groups * labels_per_group], the groups of the first label, then of the second, and so on.
        starts: int64[num_labels], where the groups of each label begin.
        counts: int64[num_labels], how many groups have it.
    """

    groups: np.ndarray
    starts: np.ndarray
    counts: np.ndarray


@functools.lru_cache(maxsize=2)
def _owners(num_labels: int, num_groups: int, labels_per_group: int, assignment: Classes, seed: int) -> Owners:
    first = np.arange(num_groups)[:, None] % num_labels
    if assignment == "deterministic":
        labels = (first + np.arange(labels_per_group)) % num_labels
    elif assignment == "random":
        labels = _draw_labels(num_groups, num_labels, labels_per_group, seed)
    else:
        others = _draw_labels(num_groups, num_labels - 1, labels_per_group - 1, seed)
        labels = np.concatenate([first, (first + 1 + others) % num_labels], axis=1)
    by_label = np.argsort(labels, axis=None, kind="stable")
    counts = np.bincount(labels.ravel(), minlength=num_labels)
    return Owners((by_label // labels_per_group).astype(np.int32), np.cumsum(counts) - counts, counts)


def _draw_labels(num_groups: int, num_labels: int, labels_per_group: int, seed: int) -> np.ndarray:
    """int64[num_groups, labels_per_group]: different labels for each group. About 10 ns a group and label."""
    draws = generator(seed, "labels of groups")
    step = max(1, _DRAWS_AT_ONCE // max(num_labels, 1))
    blocks = [
        np.argsort(draws.random((min(step, num_groups - start), num_labels)), axis=1)[:, :labels_per_group]
        for start in range(0, num_groups, step)
    ]
    return np.concatenate(blocks)
