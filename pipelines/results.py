"""What a pipeline found, written to its staging area by the workers and read by whoever started it."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipelines.merge import MergedShard
from pipelines.staging import StagingArea
from pipelines.tally import Tally


def write_tally(staging: StagingArea, tally: Tally) -> None:
    """Keeps the counts of the whole build."""
    fields = {
        "examples_in": tally.examples_in,
        "dropped": tally.dropped,
        "offenders": tally.offenders,
        "nulls": tally.nulls,
    }
    _write(staging.folder / "tally.json", fields)


def read_tally(staging: StagingArea) -> Tally:
    """The counts of the whole build."""
    fields = json.loads((staging.folder / "tally.json").read_text())
    offenders = {reason: [tuple(place) for place in places] for reason, places in fields["offenders"].items()}
    return Tally(fields["examples_in"], Counter(fields["dropped"]), offenders, Counter(fields["nulls"]))


def write_merged_shard(staging: StagingArea, shard: MergedShard) -> None:
    """Keeps the description of a finished shard."""
    _write(staging.shards / f"shard-{shard.shard_index:05d}.json", asdict(shard))


def read_merged_shards(staging: StagingArea) -> list[MergedShard]:
    """The finished shards, in order."""
    return [MergedShard(**json.loads(path.read_text())) for path in sorted(staging.shards.glob("shard-*.json"))]


def _write(path: Path, fields: dict[str, Any]) -> None:
    """Whole or not at all; a worker that does its work again writes the same."""
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(json.dumps(fields))
    os.replace(temporary, path)
