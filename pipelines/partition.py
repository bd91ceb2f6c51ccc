"""Runs the pipeline of a build and accounts for every example."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from groupstream import CorruptError, Feature
from groupstream.binary import integers
from groupstream.group_table import LABEL_SCHEMA, ROW_GROUP_ROWS, write_group_table
from groupstream.layout import QUARANTINE
from groupstream.manifest import Counts
from partitioners import ByFunction, CountingPartitioner, Partitioner
from pipelines.merge import MergedShard
from pipelines.plan import Plan
from pipelines.quarantine import join_quarantine
from pipelines.refusals import refuse_groupless
from pipelines.results import COUNTS, OUTCOME, RULE, fit_rule, read_merged_shards, read_outcome
from pipelines.resuming import FinishedStages, remove_unfinished
from pipelines.runners import run_pipeline
from pipelines.staging import StagingArea, refuse_full_disk
from pipelines.tally import Tally
from pipelines.transforms import CountExamples, PartitionExamples


@dataclass(frozen=True)
class PartitionedSplit:
    """The finished files of a split.

    Attributes:
        shards: in the staging area.
        group_table: a file of this machine.
        label_table: another; None where the spec counts no labels.
    """

    shards: list[MergedShard]
    group_table: Path
    label_table: Path | None


@dataclass(frozen=True)
class Partitioned:
    """What a pipeline made, in its staging area.

    Attributes:
        features: of the plan; those that some example of the version lacks are optional.
        tally: where each example went, with places.
        quarantine: a file of this machine with the examples that broke a check; None where none did.
        resumed: whether an earlier build had made it.
    """

    staging: StagingArea
    splits: dict[str, PartitionedSplit]
    counts: Counts
    features: dict[str, Feature]
    tally: Tally
    quarantine: Path | None = None
    resumed: bool = False


def partition(plan: Plan, staging: StagingArea) -> Partitioned:
    """Reads, checks, assigns, spills and merges; where the partitioner must count first, reads and counts before.

    What an earlier build of the same has finished in this staging area is not done again.

    Raises:
        ExampleError: examples without a group, or values that do not fit their features.
        SourceError: the source cannot be read.
        PublishError: the staging area has no room, or what is left of an earlier build cannot be removed from it.
    """
    stages = FinishedStages(staging, plan.digest, _own_packages(plan.spec.partitioner))
    resumed = stages.take_up("Partition")
    if not resumed:
        _run(plan, staging, stages)
    tally, num_shards = read_outcome(staging)
    refuse_groupless(plan.spec, tally)
    shards = {split: read_merged_shards(staging, split, number) for split, number in num_shards.items()}
    merged = [shard for each in shards.values() for shard in each]
    counts = _reconcile(tally, merged)
    quarantine = _kept_quarantine(staging) if resumed else join_quarantine(staging, tally)
    if not resumed:
        _keep_quarantine(staging, quarantine)
        made = ["shards/", OUTCOME, *([] if quarantine is None else [QUARANTINE])]
        stages.finish("Partition", made, {s.path: s.crc32c for s in merged})
        staging.remove("runs")
        staging.remove("regrouped")
    features = _features(plan, tally)
    splits = {split: _joined(plan, staging, split, each) for split, each in shards.items()}
    return Partitioned(staging, splits, counts, features, tally, quarantine, resumed)


def _run(plan: Plan, staging: StagingArea, stages: FinishedStages) -> None:
    """Runs the pipelines, but for a count that was finished before."""
    partitioner = plan.spec.partitioner
    counted = isinstance(partitioner, CountingPartitioner) and stages.take_up("Count")
    remove_unfinished(staging)
    refuse_full_disk(staging, _least_bytes(plan))
    if isinstance(partitioner, CountingPartitioner) and not counted:
        run_pipeline(plan, staging, CountExamples(plan, staging, partitioner))
        fit_rule(partitioner, staging)
        stages.finish("Count", [COUNTS, RULE])
    run_pipeline(plan, staging, PartitionExamples(plan, staging))


def _own_packages(partitioner: Partitioner) -> tuple[str, ...]:
    """Those with code of the user that says what group an example is of."""
    return partitioner.packages if isinstance(partitioner, ByFunction) else ()


def _keep_quarantine(staging: StagingArea, quarantine: Path | None) -> None:
    """Keeps it in the staging area too, where that lies elsewhere than on this machine."""
    if quarantine is not None and staging.folder is None:
        staging.store.put_if_absent(QUARANTINE, quarantine)


def _kept_quarantine(staging: StagingArea) -> Path | None:
    """The quarantine of an earlier build as a file of this machine."""
    if staging.store.size_bytes(QUARANTINE) is None:
        return None
    target = staging.scratch / QUARANTINE
    if staging.folder is None:
        target.write_bytes(staging.read(QUARANTINE))
    return target


def _features(plan: Plan, tally: Tally) -> dict[str, Feature]:
    """Those of the plan. One that some example lacks is optional, unless a check has rejected all that lack it."""
    rejected = {name for name, check in plan.spec.checks.examples.items() if not check.nullable}
    lacking = {name for name, count in tally.nulls.items() if count} - rejected
    return {
        name: feature.model_copy(update={"optional": feature.optional or name in lacking})
        for name, feature in plan.features.items()
    }


def _least_bytes(plan: Plan) -> int:
    """What the shards take at least: all of the source, where no feature and no example of it may be left out."""
    chooses = getattr(plan.spec.source, "features", None) is not None
    drops = plan.spec.partitioner.missing == "drop" or plan.spec.checks.num_tolerated(1 << 62) > 0
    groups = plan.spec.checks.groups
    drops_groups = groups.too_small == "drop" or groups.too_large in ("drop", "cap")
    return 0 if chooses or drops or drops_groups else int(plan.source.get("num_bytes", 0))


def _joined(plan: Plan, staging: StagingArea, split: str, shards: list[MergedShard]) -> PartitionedSplit:
    """The tables of a split out of those of its shards."""
    group_table = staging.scratch / f"{split}.groups.parquet"
    write_group_table(group_table, (t for s in shards for t in _parts(staging, s.group_table_path)))
    label_table = None
    if plan.label_feature is not None:
        label_table = staging.scratch / f"{split}.labels.parquet"
        write_group_table(label_table, _label_parts(staging, shards), LABEL_SCHEMA)
    return PartitionedSplit(shards, group_table, label_table)


def _parts(staging: StagingArea, path: str) -> Iterator[pa.Table]:
    """A table of the staging area, some rows at a time."""
    local = staging.local_path(path)
    file = pq.ParquetFile(local or pa.BufferReader(staging.read(path)), pre_buffer=False)
    for batch in file.iter_batches(ROW_GROUP_ROWS):
        yield pa.Table.from_batches([batch])


def _label_parts(staging: StagingArea, shards: list[MergedShard]) -> Iterator[pa.Table]:
    """The label tables of the shards; their groups are numbered on."""
    before = np.cumsum([0, *(shard.num_groups for shard in shards)])
    for shard, first in zip(shards, before.tolist(), strict=False):
        for part in _parts(staging, shard.label_table_path):
            rows = integers(part["group_row"].to_numpy() + first)
            yield part.set_column(0, LABEL_SCHEMA.field("group_row"), rows)


def _reconcile(tally: Tally, shards: list[MergedShard]) -> Counts:
    """Examples in = examples out + dropped, or nothing is published."""
    counts = Counts(
        examples_in=tally.examples_in,
        examples_out=sum(shard.num_examples for shard in shards),
        dropped=dict(sorted(tally.dropped.items())),
        regrouped=dict(sorted(tally.regrouped.items())),
    )
    if counts.examples_in != counts.examples_out + tally.num_dropped:
        raise CorruptError(
            f"{counts.examples_in:,} examples were read, {counts.examples_out:,} written and "
            f"{tally.num_dropped:,} dropped: some were lost on the way, so nothing is published. "
            "Run the build again, and report it if it stays"
        )
    return counts
