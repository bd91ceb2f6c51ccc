"""Partitions the base dataset with Beam."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from pipelines.partition import Partitioned
from pipelines.partition import partition as run_partition
from pipelines.plan import Plan
from pipelines.progress import read_progress
from pipelines.staging import StagingArea
from tasks.reporting import watching


@task(name="partition", cache_policy=NO_CACHE)
def partition(plan: Plan, staging: StagingArea) -> Partitioned:
    """Reads, checks, assigns, spills and merges, with progress. See `pipelines.partition.partition`."""

    def look() -> tuple[int, int, str]:
        progress = read_progress(staging.progress or staging.job_progress)
        detail = f"{progress.examples:,} examples read, shards merged: {progress.shards:,}"
        return progress.pieces, plan.num_passes * len(plan.pieces), detail

    with watching("Partition", look):
        return run_partition(plan, staging)
