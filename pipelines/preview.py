"""A preview: the groups of a sample, found in this process with the functions that a build uses. No Beam."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from groupstream import SpecError
from groupstream.group_table import LABEL_SCHEMA
from partitioners import CountingPartitioner, Rule
from partitioners.keys import key_bytes
from pipelines.batches import Batch, assign_groups, assign_splits, check_examples
from pipelines.counting import count_batches, rule_of
from pipelines.plan import Plan
from pipelines.sample import Sampler
from pipelines.tally import Tally, total
from specs import Spec


@dataclass(frozen=True)
class SplitPreview:
    """The groups that the sample has in one split, the largest first.

    Attributes:
        groups: a table of group_id (binary) and num_examples (int64).
        labels: their labels, as `group_table.LABEL_SCHEMA`; None where the spec counts no labels.
    """

    groups: pa.Table
    labels: pa.Table | None

    @property
    def sizes(self) -> np.ndarray:
        """int64[num_groups]: examples of each group, descending."""
        return self.groups["num_examples"].to_numpy()


@dataclass(frozen=True)
class Preview:
    """What the partition of a sample looks like.

    Attributes:
        plan: of the build.
        spec: what is asked of the sample: that of the plan, but that examples which fill no group of a part of the
            source are dropped, since the whole may have none.
        tally: of the sample: examples read, and dropped by reason, with places.
        splits: by name, in the order of the spec.
        num_pieces: pieces of the source that the sample is of.
        complete: whether the sample is the whole source.
    """

    plan: Plan
    spec: Spec
    tally: Tally
    splits: dict[str, SplitPreview]
    num_pieces: int
    complete: bool

    @property
    def counted(self) -> bool:
        """Whether the groups follow from counts, which are then those of the sample."""
        return isinstance(self.plan.spec.partitioner, CountingPartitioner)


def preview_plan(plan: Plan, max_examples: int) -> Preview:
    """Reads a sample, checks it and gives each example its group and its split.

    Holds the features that partitioner and label need, of all examples of the sample, in memory.

    Args:
        plan: what is to be built.
        max_examples: how large the sample is.

    Raises:
        SourceError: the source cannot be read.
        SpecError: the partitioner asks for more than the sample has.
    """
    sampler = Sampler(plan, max_examples)
    batches = [_slim(plan, check_examples(plan.spec.checks.examples, batch)) for batch in sampler]
    rule, spec = _rule(plan, batches, sampler)
    assigned = [assign_splits(plan.spec.splits, assign_groups(plan.spec.partitioner, rule, batch)) for batch in batches]
    splits = {
        name: _split_preview(plan, [_of_split(batch, index) for batch in assigned])
        for index, name in enumerate(plan.split_names)
    }
    tally = total(batch.tally for batch in assigned)
    return Preview(plan, spec, tally, splits, len(sampler.readings), sampler.complete)


def unseen_share(sizes: np.ndarray) -> float:
    """About how likely the next example is of a group that the sample does not have: 0.0 to 1.0.

    Source: I. J. Good, "The population frequencies of species and the estimation of population parameters", 1953:
    the groups of one example, over the examples. It holds for examples drawn at random; a sample of whole stretches
    of a source whose groups lie together has fewer groups than that.

    >>> unseen_share(np.array([5, 3, 1, 1]))
    0.2

    Args:
        sizes: int64[num_groups], examples of each group of the sample.
    """
    return float((sizes == 1).sum() / max(1, sizes.sum()))


def least_groups(sizes: np.ndarray) -> int:
    """How many groups there are at least, those that the sample does not have included.

    Source: A. Chao, "Nonparametric estimation of the number of classes in a population", 1984, in the form without
    bias: f1 (f1 - 1) / (2 (f2 + 1)) unseen, with f1 groups of one example and f2 of two. As for `unseen_share`.

    >>> least_groups(np.array([5, 3, 1, 1, 1]))
    8
    """
    ones, twos = int((sizes == 1).sum()), int((sizes == 2).sum())
    return len(sizes) + ones * (ones - 1) // (2 * (twos + 1))


def _slim(plan: Plan, batch: Batch) -> Batch:
    """Without what is not looked at any more."""
    label = [plan.label_feature] if plan.label_feature is not None else []
    columns = batch.columns.select(sorted({*plan.spec.partitioner.reads, *label}))
    return replace(batch, columns=columns, records=None)


def _rule(plan: Plan, batches: Sequence[Batch], sampler: Sampler) -> tuple[Rule, Spec]:
    """The rule, and the spec that allows it."""
    partitioner = plan.spec.partitioner
    if not isinstance(partitioner, CountingPartitioner):
        return rule_of(partitioner), plan.spec
    counts = count_batches(partitioner, batches)
    try:
        return rule_of(partitioner, counts), plan.spec
    except SpecError as error:
        if sampler.complete:
            raise
        with suppress(SpecError):
            lenient = partitioner.model_copy(update={"missing": "drop"})
            return rule_of(lenient, counts), plan.spec.model_copy(update={"partitioner": lenient})
        raise SpecError(
            f"{error}. That is of a sample of {sampler.num_examples:,} examples: try a larger --limit"
        ) from error


def _of_split(batch: Batch, index: int) -> Batch:
    if batch.splits is None:
        return batch
    mask = pa.array(batch.splits == index)
    return replace(batch, columns=batch.columns.filter(mask), group_ids=batch.group_ids.filter(mask))


def _split_preview(plan: Plan, batches: Sequence[Batch]) -> SplitPreview:
    ids = pa.chunked_array([batch.group_ids for batch in batches], pa.binary()).combine_chunks()
    counted = pa.Table.from_struct_array(pa.chunked_array([ids.value_counts()]))
    groups = counted.rename_columns(["group_id", "num_examples"])
    groups = groups.sort_by([("num_examples", "descending"), ("group_id", "ascending")])
    if plan.label_feature is None:
        return SplitPreview(groups, None)
    return SplitPreview(groups, _label_table(groups, ids, list(_labels(batches, plan.label_feature))))


def _labels(batches: Sequence[Batch], feature: str) -> Iterator[pa.Array]:
    for batch in batches:
        yield key_bytes(batch.columns.column(feature), feature)


def _label_table(groups: pa.Table, ids: pa.Array, labels: Sequence[pa.Array]) -> pa.Table:
    """How many examples of each group have which label; examples without one are left out."""
    rows = pc.index_in(ids, groups["group_id"].combine_chunks()).cast(pa.int64())
    pairs = pa.table({"group_row": rows, "label": pa.chunked_array(labels, pa.binary())})
    counted = pairs.filter(pc.field("label").is_valid()).group_by(["group_row", "label"]).aggregate([([], "count_all")])
    table = counted.rename_columns(["group_row", "label", "num_examples"]).cast(LABEL_SCHEMA)
    return table.sort_by([("group_row", "ascending"), ("label", "ascending")])
