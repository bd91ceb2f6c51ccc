"""Keeps what a run has to show beside its version, or instead of one."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from pipelines.reports import keep_report
from tasks.retrying import is_transient

keep = task(
    name="keep-report",
    task_run_name="keep the report",
    retries=3,
    retry_delay_seconds=10,
    retry_condition_fn=is_transient,
    cache_policy=NO_CACHE,
)(keep_report)
