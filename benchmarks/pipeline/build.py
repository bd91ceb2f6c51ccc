"""One build, from its source to the finished shards: `python -m benchmarks.pipeline.build ROOT SPEC [--keep FOLDER]`.

SPEC is JSON. Everything is imported before the clock starts. What is timed is what a build does before it publishes:
looking at the source (and reading it for its fingerprint), reading, grouping, writing TFRecords with their CRCs and
checksums, the index, the statistics. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from groupstream import layout
from groupstream.group_table import statistics_of
from pipelines.partition import Partitioned, partition
from pipelines.plan import make_plan
from pipelines.staging import staging_area
from specs import Local, Spec


def spec_of(
    source: dict[str, Any], feature: str, num_workers: int = 1, memory_bytes: int | None = None, **more: Any
) -> dict[str, Any]:
    """The spec of a build by a feature.

    Args:
        memory_bytes: for all processes together; None for the default.
    """
    runner: dict[str, Any] = {"num_workers": num_workers}
    if memory_bytes is not None:
        runner["memory_bytes"] = memory_bytes
    partitioner = {"kind": "feature", "feature": feature}
    return {"name": "bench", "source": source, "partitioner": partitioner, "runner": runner, **more}


def build(root: Path, spec: dict[str, Any], keep: Path | None = None) -> dict[str, float]:
    """Builds into the staging area of `root`, measures, and leaves nothing behind.

    Args:
        keep: a folder that is to have the finished shards, after the clock was stopped.
    """
    start = time.perf_counter()
    plan = make_plan(Spec.model_validate(spec, extra="forbid"))
    planned = time.perf_counter()
    with staging_area(root) as staging:
        partitioned = partition(plan, staging)
        found = _summary(partitioned)
        end = time.perf_counter()
        if keep is not None:
            _keep(partitioned, keep)
    return {"seconds": end - start, "plan_seconds": planned - start, **found}


def _summary(partitioned: Partitioned) -> dict[str, float]:
    """What was made; the statistics as they stand in the manifest."""
    [split] = partitioned.splits.values()
    statistics = statistics_of(pq.read_table(split.group_table))
    return {
        "examples": statistics.num_examples,
        "groups": statistics.num_groups,
        "bytes": sum(shard.size_bytes for shard in split.shards),
        "shards": len(split.shards),
        "table_bytes": split.group_table.stat().st_size,
    }


def _keep(partitioned: Partitioned, folder: Path) -> None:
    """Copies the shards and the group table, named as `groupstream` names them."""
    folder.mkdir(parents=True)
    for name, split in partitioned.splits.items():
        for shard in split.shards:
            path = partitioned.staging.local_path(shard.path)
            assert path is not None
            shutil.copy(path, folder / layout.shard_file(name, shard.shard_index, len(split.shards)))
        shutil.copy(split.group_table, folder / layout.group_table_file(name))


def import_all(spec: dict[str, Any]) -> None:
    """Imports what the sources and Beam import late, here and in the process that the workers are forked from."""
    import apache_beam as beam

    from pipelines.runners.local import run_here

    with tempfile.TemporaryDirectory() as folder, staging_area(folder) as staging:
        run_here(lambda pipeline: pipeline | beam.Create([0]), Local.model_validate(spec["runner"]), staging)
    if spec["source"]["kind"] == "tfds":
        import tensorflow_datasets as tfds

        _ = tfds.core, tfds.features, tfds.builder_from_directory


def main() -> None:
    """Builds, and prints what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("spec", type=json.loads)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    import_all(given.spec)
    given.root.mkdir(parents=True, exist_ok=True)
    print(json.dumps(build(given.root, given.spec, given.keep)))


if __name__ == "__main__":
    main()
