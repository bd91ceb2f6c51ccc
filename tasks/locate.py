"""Finds the base dataset and holds the spec against it."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from pipelines.plan import make_plan
from tasks.retrying import is_transient

locate = task(
    name="locate",
    task_run_name="locate the source",
    retries=2,
    retry_delay_seconds=10,
    retry_condition_fn=is_transient,
    cache_policy=NO_CACHE,
)(make_plan)
