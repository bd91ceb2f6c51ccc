"""Runs the pipeline of a build and accounts for every example."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from groupstream import CheckError, CorruptError, ExampleError, Feature
from groupstream.group_table import write_group_table
from groupstream.manifest import Counts
from pipelines.merge import MergedShard
from pipelines.plan import Plan
from pipelines.results import read_merged_shards, read_tally
from pipelines.runner import run_pipeline
from pipelines.staging import StagingArea
from pipelines.tally import CHECK_PREFIX, NO_GROUP, Tally


@dataclass(frozen=True)
class Partitioned:
    """The finished files of a split, in the staging area.

    Attributes:
        features: of the plan; those that some example lacks are optional.
    """

    shards: list[MergedShard]
    group_table: Path
    counts: Counts
    features: dict[str, Feature]


def partition(plan: Plan, staging: StagingArea) -> Partitioned:
    """Reads, checks, assigns, spills and merges.

    Raises:
        ExampleError: examples without a group, or values that do not fit their features.
        CheckError: more examples break a check than the spec tolerates.
        SourceError: the source cannot be read.
    """
    run_pipeline(plan, staging)
    tally = read_tally(staging)
    _refuse_dropped(plan, tally)
    shards = read_merged_shards(staging)
    counts = _reconcile(tally, shards)
    shutil.rmtree(staging.runs)
    table = staging.folder / "groups.parquet"
    write_group_table(table, (pq.read_table(shard.group_table_path) for shard in shards))
    features = {
        name: feature.model_copy(update={"optional": feature.optional or tally.nulls[name] > 0})
        for name, feature in plan.features.items()
    }
    return Partitioned(shards, table, counts, features)


def _refuse_dropped(plan: Plan, tally: Tally) -> None:
    partitioner, checks = plan.spec.partitioner, plan.spec.checks
    if (count := tally.dropped[NO_GROUP]) and partitioner.missing == "fail":
        raise ExampleError(
            f"{count:,} of {tally.examples_in:,} examples have no group: {_features(partitioner.reads)} gives none "
            f"({_places(tally, NO_GROUP, count)}). Set partitioner.missing to drop (they are counted) or to group"
        )
    broken = {reason: n for reason, n in tally.dropped.items() if reason.startswith(CHECK_PREFIX)}
    if (count := sum(broken.values())) > checks.max_rejected:
        found = "; ".join(f"{reason}: {n:,} ({_places(tally, reason, n)})" for reason, n in sorted(broken.items()))
        raise CheckError(
            f"{count:,} of {tally.examples_in:,} examples break a check, "
            f"checks.max_rejected is {checks.max_rejected:,}: {found}. "
            "Mend the source, or raise checks.max_rejected (they are left out and counted)"
        )


def _features(names: frozenset[str]) -> str:
    return " and ".join(f"feature {name!r}" for name in sorted(names))


def _places(tally: Tally, reason: str, count: int) -> str:
    places = [words for _, _, words in tally.offenders[reason]]
    return ", ".join(places) + (", ..." if count > len(places) else "")


def _reconcile(tally: Tally, shards: list[MergedShard]) -> Counts:
    """Examples in = examples out + dropped, or nothing is published."""
    counts = Counts(
        examples_in=tally.examples_in,
        examples_out=sum(shard.num_examples for shard in shards),
        dropped=dict(sorted(tally.dropped.items())),
    )
    if counts.examples_in != counts.examples_out + tally.num_dropped:
        raise CorruptError(
            f"{counts.examples_in:,} examples were read, {counts.examples_out:,} written and "
            f"{tally.num_dropped:,} dropped: some were lost on the way, so nothing is published. "
            "Run the build again, and report it if it stays"
        )
    return counts
