"""What a pipeline found, written to its staging area by the workers and read by whoever started it."""

from __future__ import annotations

import json
import pickle
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from partitioners import CountingPartitioner, Partitioner, Rule
from pipelines.counting import rule_of
from pipelines.merge import MergedShard, shard_name
from pipelines.staging import StagingArea
from pipelines.tally import Tally

OUTCOME, COUNTS, RULE = "outcome.json", "counts.pickle", "rule.pickle"


def write_outcome(staging: StagingArea, tally: Tally, num_shards: Mapping[str, int]) -> None:
    """Keeps the counts of the whole build, and how many shards each split gets."""
    fields = {
        "examples_in": tally.examples_in,
        "dropped": tally.dropped,
        "offenders": tally.offenders,
        "nulls": tally.nulls,
        "regrouped": tally.regrouped,
        "num_shards": dict(num_shards),
    }
    staging.write(OUTCOME, json.dumps(fields).encode())


def read_outcome(staging: StagingArea) -> tuple[Tally, dict[str, int]]:
    """The counts of the whole build, and how many shards each split has."""
    fields = json.loads(staging.read(OUTCOME))
    offenders = {reason: [tuple(place) for place in places] for reason, places in fields["offenders"].items()}
    counters = {name: Counter(fields[name]) for name in ("dropped", "nulls", "regrouped")}
    return Tally(fields["examples_in"], offenders=offenders, **counters), fields["num_shards"]


def write_counts(staging: StagingArea, counts: Any) -> None:
    """Keeps what a partitioner counted first."""
    staging.write(COUNTS, pickle.dumps(counts))


def fit_rule(partitioner: CountingPartitioner, staging: StagingArea) -> None:
    """Makes the rule from what was counted, and keeps it for the workers.

    Raises:
        SpecError: the examples do not allow what the spec asks for.
    """
    staging.write(RULE, pickle.dumps(rule_of(partitioner, pickle.loads(staging.read(COUNTS)))))


def read_rule(partitioner: Partitioner, staging: StagingArea) -> Rule:
    """The rule of the build: the partitioner itself, or what `fit_rule` made."""
    if isinstance(partitioner, CountingPartitioner):
        rule: Rule = pickle.loads(staging.read(RULE))
        return rule
    return rule_of(partitioner)


def write_merged_shard(staging: StagingArea, shard: MergedShard) -> None:
    """Keeps the description of a finished shard, under a name that follows from that of its split and its number."""
    staging.write(f"{shard_name(shard.split, shard.shard_index)}.json", json.dumps(asdict(shard)).encode())


def is_merged(staging: StagingArea, split: str, shard_index: int) -> bool:
    """Whether a shard is finished and described."""
    return staging.store.size_bytes(f"{shard_name(split, shard_index)}.json") is not None


def read_merged_shards(staging: StagingArea, split: str, num_shards: int) -> list[MergedShard]:
    """The finished shards of a split, in order."""
    names = (f"{shard_name(split, shard_index)}.json" for shard_index in range(num_shards))
    return [MergedShard(**json.loads(staging.read(name))) for name in names]
