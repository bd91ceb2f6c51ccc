"""Partitions the base dataset with Beam."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from pipelines.partition import Partitioned
from pipelines.partition import partition as run_partition
from pipelines.plan import Plan
from pipelines.progress import read_progress
from pipelines.staging import StagingArea
from tasks.reporting import watching
from tasks.steps import Step, step_of


@task(name="partition", task_run_name="partition the examples into groups", cache_policy=NO_CACHE)
def partition(plan: Plan, staging: StagingArea) -> Partitioned:
    """Reads, checks, assigns, spills and merges, with progress. See `pipelines.partition.partition`."""
    folder = staging.progress or staging.job_progress
    before = read_progress(folder)  # of an earlier build, whose work may be taken up

    def look() -> Step | None:
        progress = read_progress(folder)
        return None if progress == before else step_of(progress, len(plan.pieces), plan.num_passes > 1)

    with watching("Partition", look):
        return run_partition(plan, staging)
